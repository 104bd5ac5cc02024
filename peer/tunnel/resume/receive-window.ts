/**
 * How much the other side may send: what has been read, and a window beyond it. So a stream that nobody reads holds no more than that, and what
 * else travels on its carrier goes on.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { CEILING_BYTES, FLOOR_BYTES } from './memory-budget.ts'
import type { Acknowledgement } from './frames.ts'
import type { Budget } from './memory-budget.ts'

/** What each side knows of the other when a stream begins. */
export const START: Acknowledgement = { received: 0, limit: FLOOR_BYTES }

/** An acknowledgement is due for this part of the window: what the other side keeps meanwhile is memory that cannot be used again, and each of them has its cost. */
const ACK_PART = 1 / 4

/** A window that is read in less time than this, in milliseconds, doubles: it may have been what held the sender back. */
const GROWS_WITHIN_MS = 1_000

export class ReceiveWindow {
  readonly #budget: Budget
  #received = 0
  #read = 0
  #bytes = FLOOR_BYTES
  #told = START
  #growth = { from: 0, since: performance.now() }

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** What the other side is to know. */
  get acknowledgement(): Acknowledgement {
    return { received: this.#received, limit: this.#read + this.#bytes }
  }

  /** There is something to tell. */
  get hasNews(): boolean {
    const { received, limit } = this.acknowledgement
    return received !== this.#told.received || limit !== this.#told.limit
  }

  /** There is so much to tell that it should not wait. */
  get isDue(): boolean {
    const { received, limit } = this.acknowledgement
    return Math.max(received - this.#told.received, limit - this.#told.limit) >= this.#bytes * ACK_PART
  }

  /** Notes that the other side was told. */
  tell(): Acknowledgement {
    this.#told = this.acknowledgement
    return this.#told
  }

  /** @throws {InvalidMessageError} when it is more than was allowed */
  receive(bytes: number): void {
    this.#received += bytes
    if (this.#received > this.#told.limit)
      throw new InvalidMessageError('More was sent than the window allows')
  }

  /** The end was received. It takes a position, and no room. */
  receiveEnd(): void {
    this.#received += 1
  }

  /** All but this many bytes of what was received have been read. */
  read(unread: number): void {
    this.#read = this.#received - unread
    const { from, since } = this.#growth
    if (this.#read - from < this.#bytes) return
    const now = performance.now()
    if (now - since < GROWS_WITHIN_MS && !this.#budget.isSpent)
      this.#resize(Math.min(this.#bytes * 2, CEILING_BYTES))
    this.#growth = { from: this.#read, since: now }
  }

  /** Gives everything back. */
  close(): void {
    this.#resize(FLOOR_BYTES)
  }

  #resize(bytes: number): void {
    this.#budget.spend(bytes - this.#bytes)
    this.#bytes = bytes
  }
}
