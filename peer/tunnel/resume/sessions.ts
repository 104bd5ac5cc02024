/**
 * The listener's resumable streams: who may continue which, and how long each waits for its peer.
 *
 * Invariant: only the peer that opened a stream can find it.
 */

import { ConnectionClosedError } from '@libp2p/interface'
import { encodeResponse, TUNNEL_PROTOCOL } from '../wire/protocol.ts'
import { ResumableStream } from './resumable-stream.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { Logger, Stream } from '@libp2p/interface'
import type { OpenRequest, ResumeRequest } from '../wire/protocol.ts'

/**
 * Most complete streams to remember. A peer may still ask for one if the last acknowledgement was lost with
 * its carrier. The oldest are dropped first. A peer that asks later takes a complete transfer for a cut one,
 * never the reverse.
 */
const MAX_COMPLETE = 256

export class Sessions {
  readonly #keptMs: number
  readonly #budget = new MemoryBudget()
  readonly #sessions = new Map<string, ResumableStream>()
  /** Streams whose service has not accepted yet. */
  readonly #expected = new Map<string, Promise<void>>()
  readonly #complete = new Set<string>()
  readonly #timers = new Map<string, NodeJS.Timeout>()

  /** @param keptMs - how long a stream without a carrier waits for its peer, in milliseconds */
  constructor(keptMs: number) {
    this.#keptMs = keptMs
  }

  /** True if the peer has a stream with this id, or is opening one. */
  has(peerId: string, { session }: OpenRequest): boolean {
    const key = keyOf(peerId, session)
    return this.#sessions.has(key) || this.#expected.has(key)
  }

  /**
   * Announces a stream that will be opened. If its dialer loses the path and asks for the stream meanwhile,
   * it waits for the outcome. Otherwise it would be told `gone` and open another one.
   *
   * @returns what must be disposed when the stream is open, or will not be opened
   */
  expect(peerId: string, { session }: OpenRequest): Disposable {
    const key = keyOf(peerId, session)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#expected.set(key, promise)
    return {
      [Symbol.dispose]: () => {
        this.#expected.delete(key)
        resolve()
      },
    }
  }

  /** Makes a stream. The caller attaches it to its first carrier. */
  open(peerId: string, { session }: OpenRequest, log: Logger): ResumableStream {
    const key = keyOf(peerId, session)
    const stream = new ResumableStream({
      id: session,
      log,
      direction: 'inbound',
      protocol: TUNNEL_PROTOCOL,
      budget: this.#budget.share(peerId),
      onLost: () => this.#wait(key, stream),
    })
    this.#sessions.set(key, stream)
    stream.addEventListener('close', () => this.#onClose(key, stream), { once: true })
    return stream
  }

  /**
   * Continues a stream over another carrier, and answers. Resolves with false, without an answer, if that is
   * not possible.
   */
  async resume(peerId: string, { session, ...theirs }: ResumeRequest, carrier: Stream): Promise<boolean> {
    const key = keyOf(peerId, session)
    await this.#expected.get(key)
    const stream = this.#sessions.get(key)
    if (stream?.canResumeFrom(theirs) !== true) return false
    this.#stopWaiting(key)
    const position = stream.detach()
    // if the carrier is closed by now, the stream loses it immediately
    if (carrier.status === 'open') carrier.send(encodeResponse({ status: 'ok', position }))
    stream.attach(carrier, theirs)
    return true
  }

  #wait(key: string, stream: ResumableStream): void {
    const cut = (): void =>
      stream.abort(
        new ConnectionClosedError(
          `The remote peer did not resume the connection within ${this.#keptMs / 1000} s`,
        ),
      )
    this.#stopWaiting(key)
    this.#timers.set(key, setTimeout(cut, this.#keptMs))
  }

  #stopWaiting(key: string): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
  }

  #onClose(key: string, stream: ResumableStream): void {
    this.#stopWaiting(key)
    if (stream.status !== 'closed' || !stream.isComplete) {
      this.#sessions.delete(key)
      return
    }
    this.#complete.add(key)
    if (this.#complete.size <= MAX_COMPLETE) return
    const [oldest = ''] = this.#complete
    this.#complete.delete(oldest)
    this.#sessions.delete(oldest)
  }
}

function keyOf(peerId: string, session: string): string {
  return `${peerId} ${session}`
}
