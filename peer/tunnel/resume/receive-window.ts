/**
 * The receive window: how much the other side may send beyond what was read.
 *
 * So an unread stream holds at most one window in memory, and does not block other streams of its carrier.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { CEILING_BYTES, FLOOR_BYTES } from './memory-budget.ts'
import type { Acknowledgement } from './frames.ts'
import type { Budget } from './memory-budget.ts'

/** What each side knows of the other when a stream starts. */
export const START: Acknowledgement = { received: 0, limit: FLOOR_BYTES }

/**
 * The part of the window after which an acknowledgement is due. A longer delay keeps memory of the other side
 * in use; a shorter one costs more messages.
 */
const ACK_PART = 1 / 4

/**
 * If a window is read in less time than this, in milliseconds, it doubles, because it may have limited the
 * sender.
 */
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

  /** What the other side should know. */
  get acknowledgement(): Acknowledgement {
    return { received: this.#received, limit: this.#read + this.#bytes }
  }

  /** True if the acknowledgement has changed since the last one was sent. */
  get hasNews(): boolean {
    const { received, limit } = this.acknowledgement
    return received !== this.#told.received || limit !== this.#told.limit
  }

  /** True if it has changed so much that it should be sent now. */
  get isDue(): boolean {
    const { received, limit } = this.acknowledgement
    return Math.max(received - this.#told.received, limit - this.#told.limit) >= this.#bytes * ACK_PART
  }

  /** Records that the acknowledgement was sent, and returns it. */
  tell(): Acknowledgement {
    this.#told = this.acknowledgement
    return this.#told
  }

  /** Records received bytes. @throws {InvalidMessageError} if they exceed the window */
  receive(bytes: number): void {
    this.#received += bytes
    if (this.#received > this.#told.limit)
      throw new InvalidMessageError('The remote peer sent more than the window allows')
  }

  /** Records the end. It takes a position, but no memory. */
  receiveEnd(): void {
    this.#received += 1
  }

  /** Records that all received bytes except the last `unread` were read. */
  read(unread: number): void {
    this.#read = this.#received - unread
    const { from, since } = this.#growth
    if (this.#read - from < this.#bytes) return
    const now = performance.now()
    if (now - since < GROWS_WITHIN_MS && !this.#budget.isSpent)
      this.#resize(Math.min(this.#bytes * 2, CEILING_BYTES))
    this.#growth = { from: this.#read, since: now }
  }

  /** Returns all memory to the budget. */
  close(): void {
    this.#resize(FLOOR_BYTES)
  }

  #resize(bytes: number): void {
    this.#budget.spend(bytes - this.#bytes)
    this.#bytes = bytes
  }
}
