/** Connects to the local service that a remote peer requested. */
import { StreamResetError } from '@libp2p/interface'
import type { Stream } from '@libp2p/interface'
import { connect } from 'node:net'
import { descriptors } from '../../../src/node/descriptors.ts'
import type { Socket } from 'node:net'
import type { ServiceAddress } from './service-rules.ts'

/**
 * Connects to a local service, by TCP or a Unix socket, for a stream. The socket allows half-open
 * connections. Until the caller adds a listener, an error only closes it.
 *
 * Gives up when `signal` fires or the stream closes, because then nobody waits for the result.
 *
 * @throws the socket's error (`ECONNREFUSED`), EMFILE if this process has hardly any descriptors left, the reason of `signal`, or {StreamResetError} if the stream
 * closed
 */
export function connectLocal(address: ServiceAddress, stream: Stream, signal: AbortSignal): Promise<Socket> {
  const { path, host, port } = { path: undefined, host: undefined, port: undefined, ...address }
  const lack = descriptors.lack({ syscall: 'connect', address: path ?? host, port })
  if (lack !== undefined) return Promise.reject(lack)
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
    fail(new StreamResetError('The remote peer disconnected before the service accepted'))
  const onAbort = (): void => fail(signal.reason)
  socket.on('error', () => {})
  socket.on('connect', onConnect)
  socket.on('error', fail)
  stream.addEventListener('close', onClose)
  signal.addEventListener('abort', onAbort)
  if (stream.status !== 'open') onClose()
  return promise
}
