/**
 * Whose turn the inbound sockets of a host are: that of the punches that wait for this host, or of everybody else.
 *
 * A remote peer can name any host, and a host can have many peers behind it. So of the sockets of one host at least every
 * other one is left to the others, until a punch has shown that the host is its peer's. A punch that has taken another
 * peer's socket makes the turns of all punches at this host rarer: a new punch costs a stranger nothing.
 */

import QuickLRU from 'quick-lru'

/** Hosts that are remembered, 100 bytes each. */
const MAX_HOSTS = 1_024

/** After this time without a wrong socket, in milliseconds, a host is as new. It is longer than a stranger waits between punches. */
const FORGET_MS = 60_000

/** After so many wrong sockets or more, every 32nd socket is a punch's: others keep 97 % of theirs. */
const MAX_WRONG = 4

interface Host {
  /** Sockets to leave to others before the next turn of a punch. */
  owed: number
  /** Sockets that were another peer's, lately. */
  wrong: number
  wrongAt: number
}

/** The turns of one node. */
export class HostTurns {
  readonly #hosts = new QuickLRU<string, Host>({ maxSize: MAX_HOSTS })
  readonly #now: () => number

  /** @param now - returns the time in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Takes the turn of a punch. False if this socket is for others. */
  take(host: string): boolean {
    const entry = this.#of(host)
    if (entry.owed > 0) {
      entry.owed--
      return false
    }
    entry.owed = 2 ** (entry.wrong + 1) - 1
    return true
  }

  /** The socket of the last turn was that of the punch's peer. */
  right(host: string): void {
    this.#hosts.delete(host)
  }

  /** It was another peer's. */
  wrong(host: string): void {
    const entry = this.#of(host)
    entry.wrong = Math.min(entry.wrong + 1, MAX_WRONG)
    entry.wrongAt = this.#now()
    entry.owed = Math.max(entry.owed, 2 ** (entry.wrong + 1) - 1)
  }

  #of(host: string): Host {
    const entry = this.#hosts.get(host) ?? { owed: 0, wrong: 0, wrongAt: -Infinity }
    if (this.#now() - entry.wrongAt > FORGET_MS) entry.wrong = 0
    this.#hosts.set(host, entry)
    return entry
  }
}
