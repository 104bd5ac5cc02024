/**
 * When the names of relays are looked up again.
 *
 * The owner of a name decides what it stands for, and so could decide how often it is asked for. A name that stands for
 * nothing is asked for after growing pauses, each name by itself, and peers do not ask together.
 */

/** A name that stands for relays is looked up again so often, in milliseconds. Name servers may answer from their caches. */
const FOUND_MS = 5 * 60_000

/** The first pause after a look-up without a relay, in milliseconds. It doubles each time, up to {@link LONGEST_MS}. */
const FIRST_MS = 5_000

/** The longest pause after a look-up without a relay, in milliseconds. */
const LONGEST_MS = 10 * 60_000

interface Entry {
  failures: number
  dueAt: number
}

/** The schedule of one list of relays. */
export class NameSchedule {
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()

  /** @param now - returns the time in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The names to look up now. Others than these are forgotten. */
  due(names: readonly string[]): string[] {
    for (const name of this.#entries.keys()) if (!names.includes(name)) this.#entries.delete(name)
    return names.filter(name => (this.#entries.get(name)?.dueAt ?? -Infinity) <= this.#now())
  }

  /** Notes what a look-up has found. Up to half of the pause is random. */
  note(name: string, hasRelays: boolean): void {
    const failures = hasRelays ? 0 : (this.#entries.get(name)?.failures ?? 0) + 1
    const pauseMs = hasRelays ? FOUND_MS : Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS)
    this.#entries.set(name, { failures, dueAt: this.#now() + pauseMs * (0.5 + Math.random() / 2) })
  }

  /** Makes all names due: the network has changed. */
  reset(): void {
    this.#entries.clear()
  }

  /** Until the next name is due, in milliseconds. Undefined without names. */
  get nextInMs(): number | undefined {
    if (this.#entries.size === 0) return undefined
    return Math.max(0, Math.min(...[...this.#entries.values()].map(it => it.dueAt)) - this.#now())
  }
}
