/**
 * The program for libp2p nodes that are not made by `createPeer`. Its argument says what they are made of:
 *
 * - `drop-ins`: a plain `createLibp2p` with this package's `tcp()` and `dcutr()`
 * - `stock`: `@libp2p/tcp` and `@libp2p/dcutr`
 *
 * It answers the requests that `trial.ts` makes, so that the same trials can be run with it.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr as stockDcutr } from '@libp2p/dcutr'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp as stockTcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { dcutr, tcp } from '../../src/index.ts'
import { ECHO_PROTOCOL, echo, exchange } from './echo.ts'
import { serve } from './requests.ts'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { Actions } from './requests.ts'

const isStock = process.argv[2] === 'stock'
const nodes = new Map<string, Libp2p>()
const remotes = new Map<string, PeerId>()

const actions: Actions = {
  relay: async ({ listen }: { listen: string[] }) => {
    const relay = await createLibp2p({
      ...common(listen),
      addresses: { listen, appendAnnounce: publicAddrs(listen) },
      // it ends connections to rust-libp2p peers that have a circuit (docs/interop.md)
      connectionMonitor: { enabled: false },
      services: {
        identify: identify(),
        relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }),
      },
    })
    nodes.set('relay', relay)
    return { addrs: relay.getMultiaddrs().map(String) }
  },

  peer: async ({ name, relays, reserve }: { name: string; relays: string[]; reserve: boolean }) => {
    const circuits = reserve ? relays.map(relay => `${relay}/p2p-circuit`) : []
    const node = await createNode(['/ip4/0.0.0.0/tcp/0', ...circuits])
    nodes.set(name, node)
    await node.handle(ECHO_PROTOCOL, echo, { runOnLimitedConnection: true })
    const addrs = node.getMultiaddrs().filter(addr => Circuit.exactMatch(addr))
    return { peerId: node.peerId.toString(), addrs: addrs.map(String) }
  },

  connect: async ({ name, target, timeoutMs }: { name: string; target: string; timeoutMs: number }) => {
    const connection = await nodeNamed(name).dial(multiaddr(target), {
      signal: AbortSignal.timeout(timeoutMs),
    })
    remotes.set(name, connection.remotePeer)
    return { path: pathOf(connection) }
  },

  direct: async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    const startedAt = performance.now()
    const node = nodeNamed(name)
    const signal = AbortSignal.timeout(timeoutMs - 5_000)
    try {
      while (pathOf(best(name)) === 'relayed') await once(node as never, 'connection:open', { signal })
    } catch (error) {
      throw Object.assign(error as Error, { reason: 'no direct connection came about' })
    }
    return { path: 'direct', elapsedMs: performance.now() - startedAt }
  },

  echo: async ({ name, bytes, timeoutMs }: { name: string; bytes: number; timeoutMs: number }) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const connection = best(name)
    const stream = await connection.newStream(ECHO_PROTOCOL, { signal, runOnLimitedConnection: true })
    await exchange(stream, randomBytes(bytes), signal)
    return { path: pathOf(connection) }
  },

  stop: async ({ name }: { name: string }) => {
    await nodeNamed(name).stop()
    nodes.delete(name)
    return {}
  },
}

async function createNode(listen: string[]): Promise<Libp2p> {
  return createLibp2p({
    ...common(listen),
    services: { identify: identify(), ping: ping(), dcutr: isStock ? stockDcutr() : dcutr() },
  })
}

function common(listen: string[]) {
  return {
    addresses: { listen },
    transports: [isStock ? stockTcp() : tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  }
}

/** The operator of a stock relay says where it can be reached: libp2p keeps public addresses to itself until they are verified. */
function publicAddrs(listen: readonly string[]): string[] {
  const port = listen[0]?.split('/').at(-1)
  const interfaces = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  return interfaces.flatMap(({ family, address, internal, scopeid }) =>
    internal || scopeid ? [] : [`/ip${family === 'IPv4' ? 4 : 6}/${address}/tcp/${port}`],
  )
}

function nodeNamed(name: string): Libp2p {
  const node = nodes.get(name)
  if (node === undefined) throw new Error(`no node is called ${name}`)
  return node
}

/** The newest direct connection to the remote, or else the newest there is. */
function best(name: string): Connection {
  const open = nodeNamed(name)
    .getConnections(remotes.get(name))
    .filter(it => it.status === 'open')
  const connection = open.findLast(it => pathOf(it) === 'direct') ?? open.at(-1)
  if (connection === undefined) throw new Error('the circuit is lost')
  return connection
}

function pathOf({ remoteAddr }: Connection): 'direct' | 'relayed' {
  return Circuit.exactMatch(remoteAddr) ? 'relayed' : 'direct'
}

await serve(actions)
await Promise.all([...nodes.values()].map(async node => node.stop()))
