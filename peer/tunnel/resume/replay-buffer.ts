/**
 * What was sent and is not known to have arrived: it is sent again when the stream goes on over another carrier.
 *
 * Positions count the bytes of the stream from its start; its end takes one more.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { CEILING_BYTES, FLOOR_BYTES } from './memory-budget.ts'
import type { Budget } from './memory-budget.ts'

/** What a piece takes besides its bytes. So that a remote cannot fill the memory with pieces of a byte. */
const PIECE_BYTES = 256

export class ReplayBuffer {
  readonly #budget: Budget
  #pieces: Uint8Array[] = []
  /** Position of the first piece. */
  #start = 0
  #bytes = 0
  #hasEnd = false
  #isEndArrived = false

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** The position after all that was sent. */
  get position(): number {
    return this.#start + this.#bytes + Number(this.#hasEnd)
  }

  get hasEnd(): boolean {
    return this.#hasEnd
  }

  /** The end was sent, and all has arrived. */
  get isComplete(): boolean {
    return this.#isEndArrived
  }

  /** More may be sent. */
  get hasRoom(): boolean {
    const held = this.#held
    return held < FLOOR_BYTES || (held < CEILING_BYTES && !this.#budget.isSpent)
  }

  get #held(): number {
    return this.#bytes + this.#pieces.length * PIECE_BYTES
  }

  append(bytes: Uint8ArrayList): void {
    this.#account(() => {
      for (const piece of bytes) this.#pieces.push(piece)
      this.#bytes += bytes.byteLength
    })
  }

  end(): void {
    this.#hasEnd = true
  }

  /**
   * Forgets what has arrived.
   *
   * @throws {InvalidMessageError} when that was not sent
   */
  forget(received: number): void {
    if (received > this.position) throw new InvalidMessageError('What was not sent cannot have been received')
    if (this.#hasEnd && received === this.position) this.#isEndArrived = true
    this.#account(() => {
      let count = 0
      for (const piece of this.#pieces) {
        if (this.#start + piece.byteLength > received) break
        this.#start += piece.byteLength
        this.#bytes -= piece.byteLength
        count++
      }
      this.#pieces.splice(0, count)
    })
  }

  /** Whether all from this position on is here. */
  covers(position: number): boolean {
    return position >= this.#start && position <= this.position
  }

  /**
   * The data from a position on.
   *
   * @throws {InvalidMessageError} when that has arrived already, or was not sent
   */
  from(position: number): Uint8ArrayList {
    if (!this.covers(position)) throw new InvalidMessageError(`The stream cannot go on at ${position}`)
    const bytes = new Uint8ArrayList(...this.#pieces)
    bytes.consume(Math.min(position - this.#start, this.#bytes))
    return bytes
  }

  /** Gives everything back. */
  clear(): void {
    this.#account(() => {
      this.#start += this.#bytes
      this.#pieces = []
      this.#bytes = 0
    })
  }

  #account(act: () => void): void {
    const before = Math.max(this.#held, FLOOR_BYTES)
    act()
    this.#budget.spend(Math.max(this.#held, FLOOR_BYTES) - before)
  }
}
