/**
 * The handshake of TLS on the socket of one connection: takes the socket over, bounds what the remote may send before it
 * has authenticated itself, and verifies its certificate.
 */

import { InvalidCryptoExchangeError } from '@libp2p/interface'
import { TlsConnection } from './tls-connection.ts'
import { verifyCertificate } from './verify-certificate.ts'
import { coalesceWrites } from '../patches/libp2p-tcp/coalesced-writes.ts'
import { shapeCheck } from '../patches/expect-shape.ts'
import { addLayer } from '../transport/socket-layers.ts'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { PeerId, SecureConnectionOptions } from '@libp2p/interface'
import type { SocketConnection } from './tls-connection.ts'

/** Bytes that a remote may send before its handshake has ended. OpenSSL ends a handshake with a message of more than 128 KiB, or certificates of more than 100 KiB, as it begins. With a certificate of 8 KiB and all extensions of a browser it is some 12 KiB. */
const MAX_HANDSHAKE_BYTES = 64 * 1024

const assertShape = shapeCheck('@libp2p/tcp', {
  readBuffer: 'object',
  sendClose: 'function',
  'socket.uncork': 'function',
})

/** One handshake. */
export class TlsHandshake {
  readonly #connection: SocketConnection
  readonly #create: (socket: Socket) => TLSSocket
  readonly #failed = Promise.withResolvers<never>()

  /**
   * @param create - puts the engine on the socket
   *
   * @throws {UpstreamChangedError}
   */
  constructor(connection: SocketConnection, create: (socket: Socket) => TLSSocket) {
    assertShape(connection)
    this.#connection = connection
    this.#create = create
    this.#failed.promise.catch(() => {})
  }

  /**
   * Resolves when the remote has proved who it is. If that fails, the connection is reset.
   *
   * @throws {UnexpectedPeerError} (libp2p) if it is not `remotePeer`
   * @throws {InvalidCryptoExchangeError} (libp2p) if the certificate is not in order, or too much was sent
   * @throws what the signal was aborted with, or the connection failed with
   */
  async run(options: SecureConnectionOptions): Promise<{ remotePeer: PeerId; secured: TlsConnection }> {
    const connection = this.#connection
    const { signal, remotePeer: expected } = options
    const onAbort = (): void => this.#fail(signal?.reason as Error)
    const onClose = ({ error }: { error?: Error }): void => this.#failed.reject(error ?? closedError())
    signal?.addEventListener('abort', onAbort, { once: true })
    connection.addEventListener('close', onClose, { once: true })
    try {
      const tls = await this.#takeOver()
      await Promise.race([secure(tls), this.#failed.promise])
      assertBytes(connection.socket.bytesRead)
      const remotePeer = await Promise.race([verifyRemote(tls, expected), this.#failed.promise])
      const secured = coalesceWrites(new TlsConnection(connection, tls) as never) as TlsConnection
      return { remotePeer, secured }
    } catch (error) {
      this.#fail(error as Error)
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      connection.removeEventListener('close', onClose)
    }
  }

  /** Puts the engine on the socket, in the place of the connection. */
  async #takeOver(): Promise<TLSSocket> {
    const { socket, readBuffer } = this.#connection
    while (socket.writableCorked > 0) socket.uncork()
    // what was written before must be with the kernel, since the engine passes the socket's queue by
    if (socket.writableLength > 0) await new Promise(resolve => socket.write('', resolve))
    socket.removeAllListeners('data')
    socket.pause()
    const early: Uint8Array[] = [readBuffer.slice()]
    readBuffer.consume(readBuffer.byteLength)
    for (let data: unknown; (data = socket.read()) !== null; ) early.push(data as Buffer)
    const forEngine = Buffer.concat(early)
    // Node hands to the engine what a socket has buffered
    if (forEngine.byteLength > 0) socket.unshift(forEngine)
    const tls = this.#create(socket)
    addLayer(socket, tls)
    // a reset beneath the engine hangs or crashes Node 24.21: the engine goes first, and closes the socket
    this.#connection.sendReset = () => tls.destroy()
    tls.on('error', error => this.#fail(error))
    // once the handshake has ended, nobody waits for this any more
    tls.once('end', () => this.#failed.reject(closedError()))
    return tls
  }

  #fail(error: Error): void {
    this.#failed.reject(error)
    this.#connection.abort(error)
  }
}

async function secure(tls: TLSSocket): Promise<void> {
  return new Promise(resolve => {
    tls.once('secure', resolve)
  })
}

/** The negotiation before it is counted, too. @throws {InvalidCryptoExchangeError} */
function assertBytes(received: number): void {
  if (received > MAX_HANDSHAKE_BYTES)
    throw new InvalidCryptoExchangeError(
      `The remote has sent ${received} bytes before the end of its handshake, of ${MAX_HANDSHAKE_BYTES} at most`,
    )
}

async function verifyRemote(tls: TLSSocket, expected: PeerId | undefined): Promise<PeerId> {
  if (tls.isSessionReused()) throw new InvalidCryptoExchangeError('The remote has resumed a session')
  const { raw, issuerCertificate } = tls.getPeerCertificate(true)
  // Node returns an empty object then
  if ((raw as Buffer | undefined) === undefined)
    throw new InvalidCryptoExchangeError('The remote has shown no certificate')
  if (issuerCertificate !== undefined && !issuerCertificate.raw.equals(raw))
    throw new InvalidCryptoExchangeError('The remote has shown more than one certificate')
  return verifyCertificate(raw, expected)
}

function closedError(): Error {
  const error = new Error('The remote has ended the connection during the handshake of TLS')
  return Object.assign(error, { name: 'ConnectionClosedError' })
}
