/**
 * A stream that outlives the libp2p streams that carry it. To its user it is one stream from its opening to
 * its end.
 *
 * Invariants: each byte comes out once and in order, whatever was lost on the way, and the end comes after
 * all of them. Without a carrier the stream stands still, as on a slow network. It is reset only when one
 * side asks for it.
 * Spec: docs/tunnel-protocol.md, "Continuity"
 */

import { InvalidMessageError, StreamResetError } from '@libp2p/interface'
import { AbstractStream } from '@libp2p/utils'
import { raceSignal } from 'race-signal'
import { passDirectly } from '../../../src/patches/libp2p-utils/direct-messages.ts'
import { SmallPieces } from '../../../src/patches/piece-joiner.ts'
import { Carrier } from './carrier.ts'
import { CUT_FRAME, encodeAck, encodeData, END_FRAME } from './frames.ts'
import { ReceiveWindow } from './receive-window.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import type { AbortOptions, Logger, Stream } from '@libp2p/interface'
import type { SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Acknowledgement } from './frames.ts'
import type { Budget } from './memory-budget.ts'

export interface ResumableStreamInit {
  /** The id of the session. */
  id: string
  log: Logger
  direction: 'inbound' | 'outbound'
  protocol: string
  budget: Budget
  /** The carrier was lost, and the stream is not complete. */
  onLost: (error: Error) => void
}

/**
 * Milliseconds after which an acknowledgement is sent if nothing else triggers one. It frees memory of the
 * other side.
 */
const ACK_AFTER_MS = 200

/** A new stream is paused and has no carrier. */
export class ResumableStream extends AbstractStream {
  readonly #replay: ReplayBuffer
  readonly #window: ReceiveWindow
  readonly #waiting = new SmallPieces()
  readonly #onLost: (error: Error) => void
  /** Settles when the other side has received everything, including the end. */
  readonly #arrived = Promise.withResolvers<void>()
  #carrier: Carrier | undefined
  /** The position up to which the other side accepts data. */
  #limit = 0
  #hasRemoteEnd = false
  #ackTimer: NodeJS.Timeout | undefined

  constructor({ id, log, direction, protocol, budget, onLost }: ResumableStreamInit) {
    // the window limits what may arrive
    super({ id, log, direction, protocol, maxReadBufferLength: Infinity })
    this.#replay = new ReplayBuffer(budget)
    this.#window = new ReceiveWindow(budget)
    this.#onLost = onLost
    this.#arrived.promise.catch(() => {})
    this.addEventListener('close', ({ error }) => this.#finish(error ?? undefined), { once: true })
    this.pause()
    passDirectly(this)
  }

  /** True if nothing is left to carry in either direction. */
  get isComplete(): boolean {
    return this.#hasRemoteEnd && this.#replay.isComplete
  }

  get isCarried(): boolean {
    return this.#carrier !== undefined
  }

  /** True if the other side's position is possible, and this side still has everything that it misses. */
  canResumeFrom({ received }: Acknowledgement): boolean {
    return this.#replay.covers(received)
  }

  /**
   * Sends data with a request, before there is a carrier. Returns the frame, and keeps the data like any
   * other.
   */
  sendEarly(bytes: Uint8ArrayList): Uint8ArrayList {
    this.#replay.append(bytes)
    return encodeData(bytes)
  }

  /** Leaves the carrier. Nothing more is received until {@link attach}. Returns what was received before. */
  detach(): Acknowledgement {
    this.#carrier?.drop()
    this.#carrier = undefined
    return this.#window.tell()
  }

  /**
   * Continues over a carrier that is after its handshake and paused. Sends what the other side has not
   * received. If either side has reset the stream, sends a `cut` instead.
   *
   * @param sent - the position up to which the carrier has already carried data, behind the request
   * @throws {InvalidMessageError} if the other side's position is impossible
   */
  attach(stream: Stream, { received, limit }: Acknowledgement, sent: number = received): void {
    const missing = this.#replay.from(sent)
    const carrier = new Carrier(stream, {
      onData: bytes => this.#receive(bytes),
      onAck: ack => this.#onAck(ack),
      onEnd: () => this.#receiveEnd(),
      onCut: () => this.onRemoteReset(),
      onInvalid: error => this.abort(error),
      onDrain: () => this.#sendMore(),
      onLost: error => this.#lose(carrier, error),
    })
    if (this.status === 'aborted' || this.status === 'reset') {
      carrier.send(CUT_FRAME)
      carrier.leave()
      return
    }
    this.#carrier?.drop()
    this.#carrier = carrier
    if (missing.byteLength > 0) carrier.send(encodeData(missing))
    if (this.#replay.hasEnd) carrier.send(END_FRAME)
    this.#onAck({ received, limit })
    if (this.#carrier !== carrier) return
    // reports what was read since the last acknowledgement
    this.#acknowledge(true)
    carrier.start()
    if (this.status === 'closed') this.#leave()
  }

  override abort(error: Error): void {
    super.abort(error)
    // a stream that has ended may still hold data that nobody will read
    this.#discard()
  }

  // Outbound

  override sendData(data: Uint8ArrayList): SendResult {
    const sentBytes = this.#canSend ? Math.min(data.byteLength, this.#limit - this.#replay.position) : 0
    if (sentBytes > 0) {
      const bytes = data.sublist(0, sentBytes)
      this.#replay.append(bytes)
      this.#carrier?.send(encodeData(bytes))
    }
    return { sentBytes, canSendMore: sentBytes === data.byteLength && this.#canSend }
  }

  /** Resolves when the other side has received everything. */
  override async sendCloseWrite(options?: AbortOptions): Promise<void> {
    this.#replay.end()
    this.#carrier?.send(END_FRAME)
    await raceSignal(this.#arrived.promise, options?.signal)
  }

  override sendReset(): void {
    this.#carrier?.send(CUT_FRAME)
  }

  get #canSend(): boolean {
    return (
      this.#carrier !== undefined &&
      !this.#carrier.isFull &&
      this.#replay.hasRoom &&
      this.#replay.position < this.#limit
    )
  }

  #sendMore(): void {
    if (this.writableNeedsDrain && this.#canSend) this.onMuxerDrain()
  }

  #onAck({ received, limit }: Acknowledgement): void {
    this.#replay.forget(received)
    this.#limit = Math.max(this.#limit, limit)
    if (this.#replay.isComplete) this.#arrived.resolve()
    this.#sendMore()
  }

  // Inbound

  #receive(bytes: Uint8Array | Uint8ArrayList): void {
    if (this.#hasRemoteEnd) throw new InvalidMessageError('The remote peer sent data after the end')
    this.#window.receive(bytes.byteLength)
    this.onData(bytes)
    this.#waiting.note(bytes, this.readBuffer)
    this.#acknowledge()
  }

  #receiveEnd(): void {
    // the end was sent again before its acknowledgement arrived
    if (this.#hasRemoteEnd) return
    this.#hasRemoteEnd = true
    this.#window.receiveEnd()
    this.#acknowledge(true)
    this.onRemoteCloseWrite()
  }

  override sendPause(): void {}

  override sendResume(): void {
    this.#acknowledge()
  }

  override async sendCloseRead(): Promise<void> {}

  /** Sends an acknowledgement early enough, so that the other side need not wait for it. */
  #acknowledge(isUrgent = false): void {
    this.#window.read(this.readBufferLength)
    if (!this.#window.hasNews || this.#carrier === undefined) return
    if (isUrgent || this.#window.isDue) {
      this.#carrier.send(encodeAck(this.#window.tell()))
      clearTimeout(this.#ackTimer)
      this.#ackTimer = undefined
    } else {
      this.#ackTimer ??= setTimeout(() => {
        this.#ackTimer = undefined
        this.#acknowledge(true)
      }, ACK_AFTER_MS)
    }
  }

  // Both

  #lose(carrier: Carrier, error: Error): void {
    if (this.#carrier !== carrier) return
    this.#carrier = undefined
    if (!this.isComplete && this.status === 'open') this.#onLost(error)
  }

  #finish(error: Error | undefined): void {
    clearTimeout(this.#ackTimer)
    this.#replay.clear()
    if (this.status !== 'closed' || this.readBufferLength === 0) this.#discard()
    else this.addEventListener('end', () => this.#discard(), { once: true })
    this.#arrived.reject(error ?? new StreamResetError())
    this.#leave()
  }

  #discard(): void {
    this.readBuffer.consume(this.readBuffer.byteLength)
    this.#window.close()
  }

  #leave(): void {
    this.#carrier?.leave()
    this.#carrier = undefined
  }
}
