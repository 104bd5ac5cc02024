/**
 * One circuit: two streams of two connections. The bytes that arrive on each leave on the other.
 *
 * Invariants: if one peer does not read, the circuit stops reading from the other after one window. The end
 * of one direction ends that direction only. A cut on one side resets the other side and never ends it in
 * order, because an end means that the data is complete.
 */

import { StreamResetError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { StreamIntake } from '../../src/patches/libp2p-utils/stream-intake.ts'
import { afterDrain, closedWithoutEnd, endWriting, RemoteEnd } from '../../src/streams/half-close.ts'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { CircuitEnd } from '../events.ts'
import type { TokenBucket } from '../../src/limits/token-bucket.ts'

/** The most that passes in one step if there are rates, in bytes: a message of Noise. */
const SLICE_BYTES = 64 * 1024

/** What a circuit needs. */
export interface CircuitInit {
  /** The hop stream of the peer that asked for the circuit. */
  initiator: Stream
  /** The stop stream of the peer that has the reservation. */
  responder: Stream
  /** Limit of bytes in each direction. `Infinity` for no limit. */
  maxBytes: number
  maxDurationMs: number
  /** Rate limits. Both directions draw on each bucket. */
  buckets: readonly TokenBucket[]
  /** Called once, when both streams are closed or reset and no listener and no timer is left. */
  onEnded: (end: { reason: CircuitEnd; bytesToResponder: number; bytesToInitiator: number }) => void
}

/** A circuit. */
export class Circuit {
  readonly #init: CircuitInit
  readonly #toResponder: Direction
  readonly #toInitiator: Direction
  #timer: NodeJS.Timeout | undefined
  #hasEnded = false

  constructor(init: CircuitInit) {
    this.#init = init
    const { initiator, responder, maxBytes, buckets } = init
    const shared = { maxBytes, buckets, onEnded: () => this.#onDirectionEnded(), onCut: this.#cut }
    this.#toResponder = new Direction({ source: initiator, destination: responder, ...shared })
    this.#toInitiator = new Direction({ source: responder, destination: initiator, ...shared })
  }

  /** Starts to carry bytes. A stream may have ended before the call. */
  start(): void {
    const { maxDurationMs } = this.#init
    if (Number.isFinite(maxDurationMs)) {
      this.#timer = setTimeout(() => this.#cut('duration-limit'), Math.min(maxDurationMs, longestDurationMs))
    }
    this.#toResponder.start()
    if (!this.#hasEnded) this.#toInitiator.start()
  }

  /** Bytes from initiator to responder so far. */
  get bytesToResponder(): number {
    return this.#toResponder.bytes
  }

  /** Bytes from responder to initiator so far. */
  get bytesToInitiator(): number {
    return this.#toInitiator.bytes
  }

  /** When it last carried data, in milliseconds of `performance.now()`. 0 if it has carried nothing. */
  get usedAt(): number {
    return Math.max(this.#toResponder.usedAt, this.#toInitiator.usedAt)
  }

  /** Resets both sides. */
  stop(reason: CircuitEnd = 'stopped'): void {
    this.#cut(reason)
  }

  #onDirectionEnded(): void {
    if (this.#toResponder.hasEnded && this.#toInitiator.hasEnded) this.#end('closed')
  }

  #cut = (
    reason: CircuitEnd,
    cause: Error = new StreamResetError(`The circuit was ended: ${reason}`),
  ): void => {
    if (this.#hasEnded) return
    this.#end(reason, () => {
      this.#init.initiator.abort(cause)
      this.#init.responder.abort(cause)
    })
  }

  #end(reason: CircuitEnd, act: () => void = () => {}): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearTimeout(this.#timer)
    this.#toResponder.release()
    this.#toInitiator.release()
    act()
    const { bytesToResponder, bytesToInitiator } = this
    this.#init.onEnded({ reason, bytesToResponder, bytesToInitiator })
  }
}

interface DirectionInit {
  source: Stream
  destination: Stream
  maxBytes: number
  buckets: readonly TokenBucket[]
  onEnded: () => void
  onCut: (reason: CircuitEnd, cause?: Error) => void
}

/** Carries the bytes of one stream to another. */
class Direction {
  readonly #init: DirectionInit
  readonly #intake: StreamIntake
  /** Runs while the buckets are empty. */
  #timer: NodeJS.Timeout | undefined
  bytes = 0
  usedAt = 0
  /** The source has ended, and the end has reached the destination. */
  hasEnded = false
  /** Bytes that were received and must wait for the buckets. */
  readonly #waiting = new Uint8ArrayList()
  #hasEndWaiting = false
  #isReleased = false
  readonly #sourceEnd: RemoteEnd

  constructor(init: DirectionInit) {
    this.#init = init
    this.#intake = new StreamIntake(init.source)
    this.#sourceEnd = new RemoteEnd(init.source, () => this.#onEnd())
  }

  start(): void {
    const { source, destination } = this.#init
    this.#sourceEnd.watch()
    source.addEventListener('close', this.#onClose)
    destination.addEventListener('drain', this.#onDrain)
    if (source.status !== 'open') return this.#onClose()
    if (destination.writableNeedsDrain) this.#intake.hold()
    source.addEventListener('message', this.#onMessage)
    this.#sourceEnd.check()
  }

  /** Removes all listeners and timers. */
  release(): void {
    this.#isReleased = true
    clearTimeout(this.#timer)
    const { source, destination } = this.#init
    source.removeEventListener('message', this.#onMessage)
    this.#sourceEnd.unwatch()
    source.removeEventListener('close', this.#onClose)
    destination.removeEventListener('drain', this.#onDrain)
  }

  #onMessage = ({ data }: StreamMessageEvent): void => {
    const { buckets, maxBytes, onCut } = this.#init
    if (this.bytes + this.#waiting.byteLength + data.byteLength > maxBytes) return onCut('data-limit')
    if (buckets.length === 0) return this.#pass(data)
    // a stream that was held may deliver up to a window in one go
    this.#waiting.append(data)
    this.#passSlices()
  }

  #pass(data: Uint8Array | Uint8ArrayList): void {
    this.bytes += data.byteLength
    this.usedAt = performance.now()
    try {
      if (!this.#init.destination.send(data)) this.#intake.hold()
    } catch (error) {
      this.#init.onCut('reset', error as Error)
    }
  }

  /**
   * Passes on waiting bytes. A slice larger than the content of the buckets passes, and the next one waits
   * until that debt is paid.
   */
  #passSlices(): void {
    const { destination } = this.#init
    while (this.#waiting.byteLength > 0 && this.#timer === undefined && !destination.writableNeedsDrain) {
      const slice = this.#waiting.sublist(0, Math.min(SLICE_BYTES, this.#waiting.byteLength))
      this.#waiting.consume(slice.byteLength)
      this.#pass(slice)
      if (this.#isReleased) return
      this.#payFor(slice.byteLength)
    }
    if (this.#waiting.byteLength > 0 || this.#timer !== undefined) this.#intake.hold()
    else if (this.#hasEndWaiting) this.#sourceEnd.check()
  }

  #payFor(bytes: number): void {
    const waitMs = Math.max(...this.#init.buckets.map(bucket => bucket.take(bytes)))
    if (waitMs <= 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#continue()
    }, waitMs)
  }

  #continue(): void {
    this.#passSlices()
    const isFree = this.#waiting.byteLength === 0 && this.#timer === undefined
    if (isFree && !this.#init.destination.writableNeedsDrain) this.#intake.release()
  }

  #onDrain = (): void => afterDrain(() => this.#continue())

  #onEnd(): void {
    if (this.hasEnded) return
    this.#hasEndWaiting = this.#waiting.byteLength > 0
    if (this.#hasEndWaiting) return
    endWriting(this.#init.destination).then(this.#onDestinationClosed, (cause: Error) =>
      this.#init.onCut('reset', cause),
    )
  }

  #onDestinationClosed = (): void => {
    if (this.hasEnded) return
    this.hasEnded = true
    this.#init.onEnded()
  }

  #onClose = (event?: StreamCloseEvent): void => {
    const { source, onCut } = this.#init
    if (event?.error != null) onCut('reset', event.error)
    // the end was seen: what is left to read or flush decides the outcome
    else if (!this.#sourceEnd.isHere || !source.readableEnded) onCut('reset', closedWithoutEnd(source))
  }
}
