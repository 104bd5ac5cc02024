/**
 * Data that was sent and not acknowledged. It is sent again when the stream continues over another carrier.
 *
 * Positions count the bytes of the stream from its start. Its end takes one more.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { CEILING_BYTES, FLOOR_BYTES } from './memory-budget.ts'
import type { Budget } from './memory-budget.ts'

/**
 * Memory overhead of a piece, in bytes. It counts, so that a remote cannot fill the memory with pieces of one
 * byte.
 */
const PIECE_BYTES = 256

export class ReplayBuffer {
  readonly #budget: Budget
  #pieces: Uint8Array[] = []
  /** The position of the first piece. */
  #start = 0
  #bytes = 0
  #hasEnd = false
  #isEndArrived = false

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** The position after everything that was sent. */
  get position(): number {
    return this.#start + this.#bytes + Number(this.#hasEnd)
  }

  get hasEnd(): boolean {
    return this.#hasEnd
  }

  /** True if the end was sent, and everything was acknowledged. */
  get isComplete(): boolean {
    return this.#isEndArrived
  }

  /** True if more may be sent. */
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
   * Drops acknowledged data.
   *
   * @throws {InvalidMessageError} if that position was not sent
   */
  forget(received: number): void {
    if (received > this.position)
      throw new InvalidMessageError('The remote peer acknowledged data that was not sent')
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

  /** True if everything from this position on is available. */
  covers(position: number): boolean {
    return position >= this.#start && position <= this.position
  }

  /**
   * The data from a position on.
   *
   * @throws {InvalidMessageError} if that was acknowledged already, or was not sent
   */
  from(position: number): Uint8ArrayList {
    if (!this.covers(position))
      throw new InvalidMessageError(`The stream cannot continue at position ${position}`)
    const bytes = new Uint8ArrayList(...this.#pieces)
    bytes.consume(Math.min(position - this.#start, this.#bytes))
    return bytes
  }

  /** Returns all memory to the budget. */
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
