/** Reaches the local service that a remote peer asked for. */
import { StreamResetError } from '@libp2p/interface'
import type { Stream } from '@libp2p/interface'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { ServiceAddress } from './service-rules.ts'

/**
 * Connects to a local service, by TCP or a Unix socket, on behalf of a stream. The socket comes half-open capable; until somebody else listens to it, an error closes it and nothing more.
 *
 * Gives up when `signal` fires and when the stream closes, since nobody waits for the answer any more.
 *
 * @throws the socket's error (`ECONNREFUSED`), the signal's reason, or {StreamResetError} when the stream closed.
 */
export function connectLocal(address: ServiceAddress, stream: Stream, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ ...address, allowHalfOpen: true, noDelay: true, keepAlive: true })
  const stop = (): void => {
    socket.off('connect', onConnect)
    socket.off('error', fail)
    stream.removeEventListener('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
  const fail = (error: Error): void => {
    stop()
    socket.destroy()
    reject(error)
  }
  const onConnect = (): void => {
    stop()
    resolve(socket)
  }
  const onClose = (): void =>
    fail(new StreamResetError('The remote peer left before the service had accepted'))
  const onAbort = (): void => fail(signal.reason)
  socket.on('error', () => {})
  socket.on('connect', onConnect)
  socket.on('error', fail)
  stream.addEventListener('close', onClose)
  signal.addEventListener('abort', onAbort)
  if (stream.status !== 'open') onClose()
  return promise
}
