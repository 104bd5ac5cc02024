/**
 * The hairpinning probe: can this host reach itself at its external endpoint (RFC 5382 REQ-8)?
 *
 * If a NAT supports it, two peers behind it need not know each other's private addresses.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { bindToPunchPort } from '../../src/transport/punch-port.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Server, Socket } from 'node:net'
import type { BoundAddress } from '../../src/transport/punch-port.ts'

/** Time for the probe, in milliseconds. A lost SYN is repeated after 1 s (RFC 6298 section 2.1). */
const TIMEOUT_MS = 2_500

/** Length of the token that identifies this host, so that another host at the endpoint does not count. */
const TOKEN_BYTES = 16

/**
 * Connects to `endpoint`, which is how a relay sees `local`, a port that has connections and no listener.
 * Resolves with false if nothing arrives in 2.5 s.
 *
 * @throws if `local` cannot be listened on, or `signal` fires
 */
export async function probeHairpinning(
  local: BoundAddress,
  endpoint: Multiaddr,
  signal: AbortSignal,
): Promise<boolean> {
  const token = randomBytes(TOKEN_BYTES)
  const came = Promise.withResolvers<boolean>()
  const server = createServer(socket => receive(socket, token, () => came.resolve(true)))
  server.listen(bindToPunchPort(local))
  await once(server, 'listening', { signal })
  const socket = connect(endpointOf(endpoint))
  const timer = setTimeout(() => came.resolve(false), TIMEOUT_MS)
  const onAbort = (): void => came.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    socket.on('connect', () => socket.write(token)).on('error', () => came.resolve(false))
    return await came.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
    close(server)
  }
}

function receive(socket: Socket, token: Buffer, onToken: () => void): void {
  let received = Buffer.alloc(0)
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
    if (received.byteLength < token.byteLength) return
    if (received.equals(token)) onToken()
    socket.destroy()
  })
}

function close(server: Server): void {
  server.on('error', () => {})
  server.close()
}
