/**
 * The ends of a libp2p stream, one for each direction, as of a TCP connection.
 *
 * libp2p reports an end and a cut by the same events. What joins a stream to something else must tell them apart: an
 * end that stands for a cut makes a truncated transfer look complete.
 */

import { ConnectionClosedError, StreamResetError } from '@libp2p/interface'
import type { Stream } from '@libp2p/interface'

/** The end of what the remote sends. */
export class RemoteEnd {
  readonly #stream: Stream
  readonly #onRead: () => void
  #isHere = false

  /** @param onRead - called when all that the remote has sent was read; not when the stream was cut */
  constructor(stream: Stream, onRead: () => void) {
    this.#stream = stream
    this.#onRead = onRead
  }

  /** The remote has signalled that it sent everything. A stream whose connection was lost looks closed too. */
  get isHere(): boolean {
    return this.#isHere
  }

  watch(): void {
    this.#isHere = this.#stream.remoteWriteStatus === 'closed'
    this.#stream.addEventListener('remoteCloseWrite', this.#onRemoteCloseWrite)
    this.#stream.addEventListener('end', this.check)
  }

  unwatch(): void {
    this.#stream.removeEventListener('remoteCloseWrite', this.#onRemoteCloseWrite)
    this.#stream.removeEventListener('end', this.check)
  }

  /** Calls `onRead` if everything was read. Events that came before {@link watch} are not repeated. */
  check = (): void => {
    const { status, readableEnded } = this.#stream
    // 'end' also precedes the 'close' of a stream that was reset, whose unread bytes are lost
    const isCut = status === 'aborted' || status === 'reset'
    if (readableEnded && this.#isHere && !isCut) this.#onRead()
  }

  #onRemoteCloseWrite = (): void => {
    this.#isHere = true
  }
}

/**
 * Ends what this side sends. Resolves when the remote has all of it.
 *
 * @throws what the stream failed with, or {@link closedWithoutEnd}
 */
export async function endWriting(stream: Stream): Promise<void> {
  try {
    await stream.close()
  } catch (error) {
    // p-event rejects with the 'close' event itself if the stream closed before it was flushed
    throw error instanceof Error ? error : closedWithoutEnd(stream)
  }
}

/** Why a stream was cut that closed without an error. */
export function closedWithoutEnd({ status }: Stream): Error {
  if (status === 'reset') return new StreamResetError('The remote peer reset the stream')
  return new ConnectionClosedError('The connection to the remote peer was closed before the stream had ended')
}

/**
 * Calls `act` after a 'drain' event, when the stream may be full again: it writes its own backlog in a microtask. If
 * reading continued immediately, every drain would add a chunk to that backlog, however small the window update was.
 */
export function afterDrain(act: () => void): void {
  queueMicrotask(act)
}
