/**
 * The hairpinning probe: whether this host reaches itself by its external endpoint (RFC 5382 REQ-8). Two peers behind one NAT that does it need not know
 * each other's private addresses.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { bindToPunchPort } from '../../src/transport/punch-port.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Server, Socket } from 'node:net'
import type { BoundAddress } from '../../src/transport/punch-port.ts'

/** Time for it, in milliseconds: the way is to the NAT and back, and a SYN that is lost is repeated after 1 s (RFC 6298 section 2.1). */
const TIMEOUT_MS = 2_500

/** So that nothing else that answers at the endpoint is taken for this host. */
const TOKEN_BYTES = 16

/** `endpoint` is what a relay sees of `local`, a port that has connections and no listener. Rejects only when `signal` fires, or the port cannot be listened on. */
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
