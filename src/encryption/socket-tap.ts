/**
 * Stands between a TCP socket and the TLS engine that Node has put on it, on the way in.
 *
 * Node hands what comes in to the engine without JavaScript. Here each piece passes through one function, which costs
 * nothing that could be measured, and what it decides is then handed to the engine as it is. So the rest of a
 * negotiation can be taken out while the handshake has begun already, and what a remote sends before it has
 * authenticated itself is counted.
 *
 * The last socket that is made of a handle gets what is read from it. That socket has `onread` of `node:net`.
 */

import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Bytes that are read at a time, as many as libuv reads. */
const READ_BYTES = 64 * 1024

/** What Node's own sockets have, and no interface declares. */
interface Internals {
  _handle: Engine | null
}

/** The handle of a TLSSocket. Node's own `initRead` (lib/internal/tls/wrap.js) calls this with what a socket has buffered. */
interface Engine {
  receive(data: Uint8Array): void
}

/** What comes in. */
export interface TapInit {
  socket: Socket
  tls: TLSSocket
  /** Returns what is for the engine. What it throws ends the connection. */
  filter: (data: Buffer) => Buffer
  /** Called when the remote has ended TLS, or the connection. */
  onEnd: () => void
  onError: (error: Error) => void
}

/** True if what comes in on this socket can be tapped: it is connected, and Node is built as expected. */
export function canTap(socket: Socket): boolean {
  return (socket as unknown as Internals)._handle !== null && !socket.destroyed
}

/** Taps a socket. Call it right after the TLSSocket was made. */
export function tapSocket(init: TapInit): void {
  const { socket, tls, onError } = init
  const { _handle: handle } = socket as unknown as Internals
  let isEnded = false
  const push = tls.push.bind(tls)
  tls.push = (chunk: unknown, ...rest) => {
    if (chunk === null && !isEnded) {
      isEnded = true
      init.onEnd()
    }
    return push(chunk, ...rest)
  }
  const receive = (data: Buffer): void => {
    const { _handle: engine } = tls as unknown as { _handle: Engine | null }
    const forEngine = init.filter(data)
    if (forEngine.byteLength > 0) engine?.receive(forEngine)
  }
  const options = {
    handle,
    allowHalfOpen: true,
    manualStart: true,
    pauseOnCreate: true,
    onread: {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (bytes: number, buffer: Buffer): boolean => {
        try {
          receive(buffer.subarray(0, bytes))
        } catch (error) {
          onError(error as Error)
        }
        return true
      },
    },
  }
  const tap = new Tap(options as never)
  tap.once('error', onError)
  // @libp2p/tls ends TCP without the alert that ends TLS. Nothing is lost by that: the multiplexer marks the end of a stream
  tap.once('end', () => {
    if (!isEnded && !tls.destroyed) tls.push(null)
  })
}

/** The handle is not its own: the socket that was there before closes it. */
class Tap extends Socket {
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    Object.assign(this, { _handle: null })
    callback(error)
  }
}
