/**
 * Listens on every address that a host stands for, at one port: `localhost` is 127.0.0.1 and ::1, and callers use either.
 * `server.listen()` of Node.js takes the first address of a name alone.
 */

import { once } from 'node:events'
import { isIP } from 'node:net'
import { lookUpHost } from './resolve-host.ts'
import type { AddressInfo, Server } from 'node:net'

/** Where to listen. */
export interface ListenAddress {
  /** A numeric address or a name. */
  host: string
  /** 0 lets the system choose; it is the same for all addresses. */
  port: number
}

/** bind(2) and socket(2) where this machine has no address of a family that the name stands for. */
const NOT_HERE: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/** How often another port is chosen because the chosen one is taken at another address of the name. */
const MAX_TRIES = 10

/**
 * Resolves with one listening server for each address. If one fails, all are closed.
 *
 * @param create - makes a server that does not listen yet
 * @throws what the look-up or `server.listen()` fail with (`ENOTFOUND`, `EADDRINUSE`, `EACCES`, ...)
 */
export async function listenOnHost<S extends Server>(
  create: () => S,
  { host, port }: ListenAddress,
  resolve: (host: string) => Promise<string[]> = addressesOf,
): Promise<S[]> {
  const addresses = isIP(host) === 0 ? await resolve(host) : [host]
  for (let tries = 1; ; tries++) {
    try {
      return await listenOnAll(create, addresses, port)
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!isTaken || port !== 0 || tries === MAX_TRIES) throw error
    }
  }
}

/** The port that they all listen on. */
export function portOf([server]: readonly Server[]): number {
  return (server?.address() as AddressInfo | undefined)?.port ?? 0
}

async function listenOnAll<S extends Server>(
  create: () => S,
  addresses: readonly string[],
  port: number,
): Promise<S[]> {
  const servers: S[] = []
  let notHere: unknown
  for (const host of addresses) {
    const server = create()
    try {
      server.listen({ host, port: servers.length === 0 ? port : portOf(servers) })
      await once(server, 'listening')
      servers.push(server)
    } catch (error) {
      notHere = error
      if (NOT_HERE.has((error as NodeJS.ErrnoException).code ?? '') && addresses.length > 1) continue
      for (const other of servers) other.close()
      throw error
    }
  }
  if (servers.length === 0) throw notHere
  return servers
}

async function addressesOf(host: string): Promise<string[]> {
  const found = await lookUpHost(host, 0)
  return [...new Set(found.map(it => it.address))]
}
