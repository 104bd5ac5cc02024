/**
 * How many frames a remote may send that carry no data. One that sends more is ended.
 *
 * Each budget is a bucket that starts full, and refills. It is some times what the other implementations send
 * when they are busy, and so little that all of it takes some 50 ms to handle.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it handles every frame, and answers where an answer is due, as
 * fast as they come (muxer.ts, `handleFrame`). A ping of 12 bytes takes 5 to 20 us, a stream that is opened
 * and reset 80 us. 1 MiB of them stops the process for up to 7 s.
 *
 * Upstream issue: not reported.
 */

import { TokenBucket } from '../../limits/token-bucket.ts'
import { shapeCheck } from '../expect-shape.ts'
import { Flag, FrameType } from './internals.ts'
import type { Amendment } from './amend.ts'
import type { FrameHeader } from './internals.ts'

/** What is limited: how many at once, and how many a second. */
export const FRAME_BUDGETS = {
  /**
   * Pings, and answers to them. go-yamux sends a ping every 30 s (const.go, `KeepAliveInterval` and
   * `MeasureRTTInterval`), rust-yamux every 10 s (connection/rtt.rs, `PING_INTERVAL`), js-libp2p-yamux every
   * 30 s, each of them one at a time.
   */
  ping: { capacity: 64, perSecond: 8 },
  /**
   * Window updates and ends of streams, and data frames without data, beyond those that a stream and data of
   * ours bring about (see {@link FRAMES_OF_STREAM} and `FrameBudgets.earn`). Late frames of streams that were
   * reset are such, and updates when a reader goes on.
   */
  idle: { capacity: 4_096, perSecond: 512 },
  /**
   * Streams that end before they have a protocol: opened and reset, or refused by multistream-select. An
   * aborted page load resets some 200, and some of them so early. HTTP/2 servers allow 1,000 and 33 a second
   * (nghttp2, `NGHTTP2_DEFAULT_STREAM_RESET_BURST`), for streams that cost less.
   */
  unused: { capacity: 512, perSecond: 32 },
  /**
   * Streams beyond the limit, each of which takes an answer. rust-yamux and go-yamux have up to 256 streams on
   * the way that are not acknowledged (`MAX_ACK_BACKLOG`, `AcceptBacklog`), js-libp2p-yamux up to 1,000.
   */
  refused: { capacity: 1_024, perSecond: 64 },
} as const

/** Which budget. */
export type BudgetName = keyof typeof FRAME_BUDGETS

/**
 * Frames without data that belong to a stream: an acknowledgement, an end, a reset, and a window update of a
 * reader that has finished.
 */
export const FRAMES_OF_STREAM = 4

/** A remote sent more of a kind of frame than its budget allows. */
class FrameFloodError extends Error {
  override readonly name = 'FrameFloodError'
  readonly budget: BudgetName

  constructor(budget: BudgetName) {
    const { capacity, perSecond } = FRAME_BUDGETS[budget]
    super(
      `Too many frames: the remote has used up the budget "${budget}", ${capacity} and ${perSecond} a second`,
    )
    this.budget = budget
  }
}

/** The budgets of one connection. */
export class FrameBudgets {
  readonly #buckets = new Map<BudgetName, TokenBucket>()
  #earned = 0

  /** Takes one from a budget. @throws {FrameFloodError} if it is used up */
  charge(name: BudgetName): void {
    if (name === 'idle' && this.#earned > 0) {
      this.#earned--
      return
    }
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) this.#buckets.set(name, (bucket = new TokenBucket(FRAME_BUDGETS[name])))
    if (bucket.take(1) > 0) throw new FrameFloodError(name)
  }

  /**
   * Allows so many more idle frames. Without a limit: js-libp2p-yamux answers each frame of data with a window
   * update, a round trip later.
   */
  earn(frames: number): void {
    this.#earned += frames
  }

  /** Takes what a frame costs that carries no data. @throws {FrameFloodError} */
  chargeFrame({ type, flag, length }: FrameHeader): void {
    if (type === FrameType.ping) this.charge('ping')
    else if ((flag & Flag.syn) !== 0) return
    else if (type === FrameType.windowUpdate || (type === FrameType.data && length === 0)) this.charge('idle')
  }
}

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { send: 'function', _newStream: 'function' })

/** Lets the remote send the frames that data and streams of this side bring about. */
export function earnFrames(budgets: FrameBudgets): Amendment {
  return muxer => {
    assertShape(muxer)
    const send = muxer.send.bind(muxer)
    muxer.send = frame => {
      if (!(frame instanceof Uint8Array) && frame.get(1) === FrameType.data) budgets.earn(1)
      return send(frame)
    }
    const create = muxer._newStream.bind(muxer)
    muxer._newStream = (...args) => {
      budgets.earn(FRAMES_OF_STREAM)
      return create(...args)
    }
  }
}
