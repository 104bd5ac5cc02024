/** What tunnels carry: how many connections, and how many bytes, by service or forward and by remote peer. */

import type { Traffic } from '../tunnel/wire/splice.ts'

/** Connections and their bytes so far, those that are closed included. */
export interface Usage extends Traffic {
  open: number
  total: number
}

/** What is kept of one name. */
interface Account {
  closed: Traffic
  total: number
  open: Set<Traffic>
}

/** Names that are kept in mind at most: services and forwards are few, and of remote peers the ones that came last. */
const MAX_ACCOUNTS = 1024

/** The accounts of one kind of name. */
export class Ledger {
  readonly #accounts = new Map<string, Account>()

  /** A connection opens whose counters are `traffic`; what this returns is called when it is closed. */
  open(name: string, traffic: Traffic): () => void {
    const account = this.#accounts.get(name) ?? {
      closed: { bytesIn: 0, bytesOut: 0 },
      total: 0,
      open: new Set(),
    }
    // the last one to be used is the last one to go
    this.#accounts.delete(name)
    this.#accounts.set(name, account)
    this.#forgetOldest()
    account.total += 1
    account.open.add(traffic)
    return () => {
      if (account.open.delete(traffic)) add(account.closed, traffic)
    }
  }

  /** What was carried under a name. */
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
