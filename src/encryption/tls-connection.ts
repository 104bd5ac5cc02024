/**
 * A connection whose data is encrypted by Node's TLS engine on the TCP socket itself. It is closed, reset, paused and
 * resumed as the connection of `@libp2p/tcp` beneath, which it takes over.
 */

import { once } from 'node:events'
import { AbstractMessageStream } from '@libp2p/utils'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import type { MessageStreamInit, SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'

/** A connection of `@libp2p/tcp`, with the members that are used here. */
export interface SocketConnection extends MultiaddrConnection {
  readonly socket: Socket
  readonly readBuffer: Uint8ArrayList
  maxReadBufferLength: number
  sendClose(options?: AbortOptions): Promise<void>
  sendReset(error: Error): void
  onTransportClosed(): void
}

/** The encrypted connection. */
export class TlsConnection extends AbstractMessageStream {
  readonly socket: TLSSocket
  readonly #below: SocketConnection

  /** @param tls - its handshake is done, and nobody has read from it */
  constructor(below: SocketConnection, tls: TLSSocket) {
    const init: MessageStreamInit = {
      log: below.log as unknown as MessageStreamInit['log'],
      inactivityTimeout: below.inactivityTimeout,
      maxReadBufferLength: below.maxReadBufferLength,
      direction: below.direction,
    }
    super(init)
    this.socket = tls
    this.#below = below
    below.sendClose = async options => this.#flushAndClose(options)
    below.addEventListener('close', ({ error, local }) => {
      if (error === undefined) this.onTransportClosed()
      else if (local === true) this.abort(error)
      else this.onRemoteReset()
    })
    tls.on('data', (data: Buffer) => this.onData(data))
    tls.on('drain', () => this.safeDispatchEvent('drain'))
    tls.once('end', () => below.onTransportClosed())
  }

  sendData(data: Uint8ArrayList): SendResult {
    let sentBytes = 0
    let canSendMore = true
    for (const piece of data) {
      sentBytes += piece.byteLength
      canSendMore = this.socket.write(piece)
      if (!canSendMore) break
    }
    return { sentBytes, canSendMore }
  }

  async close(options?: AbortOptions): Promise<void> {
    await this.#below.close(options)
  }

  sendReset(error: Error): void {
    this.#below.abort(error)
  }

  sendPause(): void {
    this.socket.pause()
  }

  sendResume(): void {
    this.socket.resume()
  }

  /** Resolves when all that was sent is with the kernel, and the socket is closed. */
  async #flushAndClose(options?: AbortOptions): Promise<void> {
    const { socket } = this.#below
    if (socket.destroyed) return
    if (this.writeBufferLength > 0)
      await Promise.race([once(this, 'idle', options), once(this, 'close', options)])
    if (socket.destroyed) return
    const closed = once(socket, 'close', options)
    this.socket.destroySoon()
    await closed
  }
}
