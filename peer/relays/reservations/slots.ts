/**
 * How many relays may keep a reservation for this peer at a time, out of those that it knows.
 *
 * A relay with a slot makes a reservation. When the reservation fails or ends, the slot goes to the next relay that
 * waits. A relay on a host that has no slot yet goes first: two relays on one host go down together.
 */

import { raceSignal } from 'race-signal'

interface Waiter {
  hosts: readonly string[]
  resolve: (release: () => void) => void
}

/** The slots of one peer. */
export class ReservationSlots {
  #free: number
  readonly #waiting = new Set<Waiter>()
  readonly #taken = new Set<readonly string[]>()

  constructor(count: number) {
    this.#free = count
  }

  /** True if {@link take} would have to wait. */
  get isFull(): boolean {
    return this.#free === 0
  }

  /**
   * Resolves when there is a free slot, with the function that releases it.
   *
   * @param hosts - the hosts of the relay
   * @throws the reason of `signal` when that fires
   */
  async take(hosts: readonly string[], signal: AbortSignal): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<() => void>()
    const waiter = { hosts, resolve }
    this.#waiting.add(waiter)
    this.#deal()
    try {
      return await raceSignal(promise, signal)
    } catch (error) {
      // the slot may have been assigned meanwhile
      if (!this.#waiting.delete(waiter)) void promise.then(release => release())
      throw error
    }
  }

  #deal(): void {
    while (this.#free > 0 && this.#waiting.size > 0) {
      const waiter = this.#next()
      this.#waiting.delete(waiter)
      this.#free--
      this.#taken.add(waiter.hosts)
      waiter.resolve(this.#releaser(waiter.hosts))
    }
  }

  #next(): Waiter {
    const taken = new Set([...this.#taken].flat())
    const waiting = [...this.#waiting]
    return (waiting.find(({ hosts }) => !hosts.some(host => taken.has(host))) ?? waiting[0]) as Waiter
  }

  #releaser(hosts: readonly string[]): () => void {
    return () => {
      if (!this.#taken.delete(hosts)) return
      this.#free++
      this.#deal()
    }
  }
}
