/**
 * Joins a local socket and a libp2p stream, so that each behaves like the far end of the other.
 *
 * Invariant: each side sees what it would see of a plain TCP connection. The end of one direction ends that
 * direction only. A side that stops reading stops the writer on the other side. If one side is cut, the other
 * side is reset and never ended in order, because an end would make a truncated transfer look complete.
 */
import { AbortError, ConnectionClosedError } from '@libp2p/interface'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { Socket } from 'node:net'
import { StreamIntake } from '../../../src/patches/libp2p-utils/stream-intake.ts'
import { afterDrain, closedWithoutEnd, endWriting, RemoteEnd } from '../../../src/streams/half-close.ts'
import type { Duplex } from 'node:stream'

/** Bytes carried so far, as the local side counts them. Updated while a splice runs. */
export interface Traffic {
  /** Bytes from the remote peer to the local socket. */
  bytesIn: number
  /** Bytes from the local socket to the remote peer. */
  bytesOut: number
}

export interface SpliceOptions {
  /** Cuts the splice. Both sides are reset, and the promise rejects with the reason of `signal`. */
  signal?: AbortSignal
  /**
   * The object to count into. With it the caller also knows the bytes of a splice that was cut. @default a
   * new object
   */
  traffic?: Traffic
}

/**
 * Carries bytes both ways between `socket` and `stream` until both directions have ended. Resolves with the
 * byte counts.
 *
 * `socket` must have been made with `allowHalfOpen`, otherwise its end ends both directions. The function
 * takes over both. When the promise settles, the socket is closed, the stream is closed or aborted, and
 * neither has a listener of this function. A stream may be passed in paused, with bytes in its read buffer
 * and its end already received.
 *
 * @throws the cause if the splice was cut: the socket's error, the stream's error, or the reason of `signal`
 */
export function splice(socket: Duplex, stream: Stream, options: SpliceOptions = {}): Promise<Traffic> {
  return new Splice(socket, stream, options.traffic ?? { bytesIn: 0, bytesOut: 0 }, options.signal).start()
}

/**
 * Resets a socket, so that its peer sees a cut connection instead of an end. Emits no error. Destroys a
 * duplex that is not a TCP socket.
 */
export function resetSocket(socket: Duplex): void {
  if (socket.destroyed) return
  // while shutdown(2) is in progress libuv refuses a reset with EINVAL, and Node then leaks the handle
  const isShuttingDown = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
  if (!(socket instanceof Socket) || isShuttingDown) {
    socket.destroy()
    return
  }
  try {
    socket.resetAndDestroy()
  } catch {
    // a pipe or a Unix socket does not support a reset: ERR_INVALID_HANDLE_TYPE
    socket.destroy()
  }
}

class Splice {
  readonly #socket: Duplex
  readonly #stream: Stream
  readonly #intake: StreamIntake
  readonly #traffic: Traffic
  readonly #signal: AbortSignal | undefined
  readonly #ended: PromiseWithResolvers<Traffic> = Promise.withResolvers()
  #isSettled = false
  readonly #remoteEnd: RemoteEnd
  #isOutDone = false
  #isInDone = false

  constructor(socket: Duplex, stream: Stream, traffic: Traffic, signal: AbortSignal | undefined) {
    this.#socket = socket
    this.#stream = stream
    this.#intake = new StreamIntake(stream)
    this.#remoteEnd = new RemoteEnd(stream, () => socket.end())
    this.#traffic = traffic
    this.#signal = signal
  }

  start(): Promise<Traffic> {
    this.#listen()
    if (this.#signal?.aborted) this.#onAbort()
    else if (this.#socket.destroyed) this.#onSocketClose()
    else if (this.#stream.status !== 'open') this.#cut(closedWithoutEnd(this.#stream))
    else this.#carry()
    return this.#ended.promise
  }

  #carry(): void {
    if (this.#socket.readableEnded) this.#onSocketEnd()
    this.#remoteEnd.check()
    if (this.#stream.writableNeedsDrain) this.#socket.pause()
    else this.#socket.resume()
    this.#intake.release()
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', this.#onData)
    socket.on('end', this.#onSocketEnd)
    socket.on('drain', this.#resumeStream)
    socket.on('finish', this.#onFinish)
    socket.on('error', this.#cut)
    socket.on('close', this.#onSocketClose)
    const stream = this.#stream
    stream.addEventListener('message', this.#onMessage)
    stream.addEventListener('drain', this.#onStreamDrain)
    this.#remoteEnd.watch()
    stream.addEventListener('close', this.#onStreamClose)
    this.#signal?.addEventListener('abort', this.#onAbort)
  }

  #unlisten(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('end', this.#onSocketEnd)
    socket.off('drain', this.#resumeStream)
    socket.off('finish', this.#onFinish)
    socket.off('error', this.#cut)
    socket.off('close', this.#onSocketClose)
    const stream = this.#stream
    stream.removeEventListener('message', this.#onMessage)
    stream.removeEventListener('drain', this.#onStreamDrain)
    this.#remoteEnd.unwatch()
    stream.removeEventListener('close', this.#onStreamClose)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  // Outbound: local socket to remote peer.

  #onData = (chunk: Uint8Array): void => {
    this.#traffic.bytesOut += chunk.byteLength
    try {
      if (!this.#stream.send(chunk)) this.#socket.pause()
    } catch (error) {
      this.#cut(asError(error))
    }
  }

  #onStreamDrain = (): void => {
    afterDrain(() => {
      if (!this.#isSettled && !this.#stream.writableNeedsDrain) this.#socket.resume()
    })
  }

  #onSocketEnd = (): void => {
    endWriting(this.#stream).then(() => {
      this.#isOutDone = true
      this.#finishWhenDone()
    }, this.#cut)
  }

  // Inbound: remote peer to local socket.

  #onMessage = (event: StreamMessageEvent): void => {
    this.#traffic.bytesIn += event.data.byteLength
    if (event.data instanceof Uint8Array) {
      this.#socket.write(event.data)
    } else {
      this.#socket.cork()
      for (const chunk of event.data) this.#socket.write(chunk)
      this.#socket.uncork()
    }
    if (this.#socket.writableNeedDrain) this.#intake.hold()
  }

  #resumeStream = (): void => {
    this.#intake.release()
  }

  #onFinish = (): void => {
    this.#isInDone = true
    this.#finishWhenDone()
  }

  // Both.

  #onStreamClose = (event: StreamCloseEvent): void => {
    // if both ends were exchanged, `stream.close()` decides whether everything was flushed
    const isClean = this.#remoteEnd.isHere && this.#socket.readableEnded
    if (event.error != null) this.#cut(event.error)
    else if (!isClean) this.#cut(closedWithoutEnd(this.#stream))
  }

  #onSocketClose = (): void => {
    // a socket closes on its own after both ends, while the stream may still be flushing what was read from
    // it
    if (!this.#isInDone || !this.#socket.readableEnded) {
      this.#cut(new ConnectionClosedError('The local socket closed before both directions had ended'))
    } else if (this.#isOutDone) {
      this.#settle(() => this.#ended.resolve(this.#traffic))
    }
  }

  #onAbort = (): void => {
    const reason: unknown = this.#signal?.reason
    this.#cut(reason instanceof Error ? reason : new AbortError())
  }

  #finishWhenDone(): void {
    if (!this.#isInDone || !this.#isOutDone) return
    if (this.#socket.closed) this.#onSocketClose()
    else this.#socket.destroy()
  }

  #cut = (cause: Error): void => {
    this.#settle(() => {
      const ignore = (): void => {}
      const reject = (): void => {
        this.#socket.off('error', ignore)
        this.#ended.reject(cause)
      }
      this.#stream.abort(cause)
      this.#socket.on('error', ignore)
      resetSocket(this.#socket)
      if (this.#socket.closed) reject()
      else this.#socket.once('close', reject)
    })
  }

  #settle(act: () => void): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#unlisten()
    act()
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
