/** Counts the connections and bytes of tunnels, by service or forward, and by remote peer. */

import type { Traffic } from '../tunnel/wire/splice.ts'

/** Connections and their bytes so far, including closed ones. */
export interface Usage extends Traffic {
  open: number
  total: number
}

/** The counters of one name. */
interface Account {
  closed: Traffic
  total: number
  open: Set<Traffic>
}

/** Most names to keep. Services and forwards are few. Of remote peers, the most recent ones stay. */
const MAX_ACCOUNTS = 1024

/** The counters of one kind of name. */
export class Ledger {
  readonly #accounts = new Map<string, Account>()

  /**
   * Counts a new connection, whose bytes are in `traffic`. Returns the function to call when it is closed.
   */
  open(name: string, traffic: Traffic): () => void {
    const account = this.#accounts.get(name) ?? {
      closed: { bytesIn: 0, bytesOut: 0 },
      total: 0,
      open: new Set(),
    }
    // moves the name to the end, so that it is dropped last
    this.#accounts.delete(name)
    this.#accounts.set(name, account)
    this.#forgetOldest()
    account.total += 1
    account.open.add(traffic)
    return () => {
      if (account.open.delete(traffic)) add(account.closed, traffic)
    }
  }

  /** The counters of a name. All zero if it is unknown. */
  usage(name: string): Usage {
    const account = this.#accounts.get(name)
    const sum: Traffic = { bytesIn: 0, bytesOut: 0 }
    if (account === undefined) return { open: 0, total: 0, ...sum }
    for (const traffic of [account.closed, ...account.open]) add(sum, traffic)
    return { open: account.open.size, total: account.total, ...sum }
  }

  #forgetOldest(): void {
    for (const [name, { open }] of this.#accounts) {
      if (this.#accounts.size <= MAX_ACCOUNTS) return
      if (open.size === 0) this.#accounts.delete(name)
    }
  }
}

function add(sum: Traffic, { bytesIn, bytesOut }: Traffic): void {
  sum.bytesIn += bytesIn
  sum.bytesOut += bytesOut
}
