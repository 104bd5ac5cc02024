/**
 * The tickets that this peer has issued, in a LevelDB in its data directory.
 *
 * The invariant: a use is on disk before the bearer is let in, and a ticket that is no longer in memory is no longer on disk. A revoked ticket lets nobody
 * in from then on, also where the revocation cannot be written.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { TokenBuckets } from '../../src/limits/token-buckets.ts'
import { idOfSecret, SECRET_BYTES } from './ticket.ts'
import type { TicketRefusal } from '../tunnel/listener/service-events.ts'
import type { TicketVerifier } from '../tunnel/listener/ticket-verifier.ts'

/** A ticket, as it is stored and listed. */
export interface IssuedTicket {
  /** 16 hexadecimal digits. */
  id: string
  service: string
  /** In milliseconds since the epoch, like all times here. */
  createdAt: number
  /** `null` if it never expires. */
  expiresAt: number | null
  /** How many peers may use it. `null` for any number. */
  uses: number | null
  /** The ids of peers that have used it, if uses are limited. */
  peers: string[]
}

/** An issued ticket, as the database stores it. */
export interface TicketRecord extends IssuedTicket {
  /** SHA-256 of the secret, in base64url. A fast hash is enough because the secret is random. */
  hash: string
}

/** The properties of a new ticket. */
export interface TicketWish {
  service: string
  /** How long it is valid, in milliseconds. `null` for no expiry. */
  validMs: number | null
  uses: number | null
}

/** The database that the book is stored in. */
export interface TicketDatabase {
  put(id: string, record: TicketRecord): Promise<void>
  del(id: string): Promise<void>
  values(): AsyncIterable<TicketRecord>
  close(): Promise<void>
}

/** The most tickets that are stored: some megabytes. */
const MAX_TICKETS = 10_000

/**
 * A clock that is set by up to this, in milliseconds, changes nothing for a ticket: it lets peers in for so much longer than it says, but for no more than a tenth of its
 * time.
 */
const CLOCK_ALLOWANCE_MS = 5 * 60_000

/** How long expired tickets stay listed, in milliseconds. */
const REMEMBERED_MS = 7 * 24 * 60 * 60_000

/** Wrong secrets that a peer may show: 5, and one more every 5 s. A person who mistypes shows one. */
const GUESSES = { capacity: 5, perSecond: 0.2, maxKeys: 10_000 } as const

export class TicketBook implements TicketVerifier, AsyncDisposable {
  readonly #database: TicketDatabase
  readonly #records = new Map<string, TicketRecord>()
  readonly #now: () => number
  readonly #guesses = new TokenBuckets(GUESSES)
  /**
   * Tickets revoked since the start. Sessions of an expired ticket that was deleted are not closed, so it is
   * not listed here.
   */
  readonly #revoked = new Set<string>()
  #isLoaded = false
  #lastTurn: Promise<unknown> = Promise.resolve()

  private constructor(database: TicketDatabase, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /**
   * Opens the book. Where the database cannot be read now, tickets let nobody in until it can be.
   *
   * @param now - milliseconds since the epoch, for tests
   */
  static async open(database: TicketDatabase, now: () => number = Date.now): Promise<TicketBook> {
    const book = new TicketBook(database, now)
    await book.load().catch(() => {})
    return book
  }

  /**
   * Resolves when the tickets are read.
   *
   * @throws the database's error, and then it may be called again
   */
  async load(): Promise<void> {
    if (this.#isLoaded) return
    await this.#inTurn(async () => {
      if (this.#isLoaded) return
      const records: TicketRecord[] = []
      for await (const record of this.#database.values()) records.push(record)
      for (const record of records) this.#records.set(record.id, record)
      this.#isLoaded = true
    })
    await this.#forgetEnded()
  }

  /** All tickets that have not been revoked, the oldest first; none before they are read. */
  get tickets(): IssuedTicket[] {
    const all = [...this.#records.values()].filter(({ id }) => !this.#revoked.has(id))
    return all.toSorted((a, b) => a.createdAt - b.createdAt).map(withoutHash)
  }

  /**
   * Creates a ticket. Its secret is only in the result.
   *
   * @throws {RangeError} when there are too many
   * @throws the database's error, and then there is no ticket
   */
  async issue({ service, validMs, uses }: TicketWish): Promise<{ ticket: IssuedTicket; secret: string }> {
    await this.load()
    await this.#forgetEnded()
    if (this.#records.size >= MAX_TICKETS)
      throw new RangeError(`There are already ${MAX_TICKETS} tickets, the maximum. Revoke some.`)
    const secret = randomBytes(SECRET_BYTES).toString('base64url')
    const id = idOfSecret(secret) ?? ''
    const createdAt = this.#now()
    const expiresAt = validMs === null ? null : createdAt + validMs
    const ticket: IssuedTicket = { id, service, createdAt, expiresAt, uses, peers: [] }
    const record = { ...ticket, hash: hashOf(secret) }
    await this.#database.put(id, record)
    this.#records.set(id, record)
    return { ticket, secret }
  }

  /**
   * Ends a ticket; false if there is none of that id.
   *
   * @throws the database's error. The ticket lets nobody in any more while this process runs. It does after the next start, unless the revocation
   *   can be written by then, which is tried again.
   */
  async revoke(id: string): Promise<boolean> {
    await this.load()
    if (!this.#records.has(id)) return false
    this.#revoked.add(id)
    return this.#forget(id)
  }

  look(
    secret: string,
    service: string,
    bearer: string,
    caller: string = bearer,
  ): { id: string } | TicketRefusal {
    if (!this.#isLoaded) {
      // it may be possible by the next time
      void this.load().catch(() => {})
      return 'ticket-unreadable'
    }
    if (this.#guesses.waitMs(caller) > 0) return 'ticket-guesses'
    const record = this.#find(secret)
    if (record === undefined) {
      this.#guesses.take(caller)
      return 'ticket-unknown'
    }
    if (record.service !== service) return 'ticket-unknown'
    const untimely = untimelinessOf(record, this.#now())
    if (untimely !== undefined) return untimely
    return isUsedUp(record, bearer) ? 'ticket-used-up' : { id: record.id }
  }

  async count(id: string, bearer: string): Promise<TicketRefusal | undefined> {
    return this.#inTurn(async () => {
      const record = this.#records.get(id)
      if (record === undefined || this.#revoked.has(id)) return 'ticket-unknown'
      if (isUsedUp(record, bearer)) return 'ticket-used-up'
      if (record.uses === null || record.peers.includes(bearer)) return undefined
      const counted = { ...record, peers: [...record.peers, bearer] }
      await this.#database.put(id, counted)
      this.#records.set(id, counted)
      // the disk can be written: so can a revocation that could not
      if ([...this.#revoked].some(it => this.#records.has(it))) void this.#forgetEnded()
      return undefined
    })
  }

  isRevoked(id: string): boolean {
    return this.#revoked.has(id)
  }

  async close(): Promise<void> {
    await this.#forgetEnded()
    await this.#inTurn(async () => this.#database.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Runs changes one after the other, so each sees in memory what the previous one has written. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(change)
    this.#lastTurn = turn.catch(() => {})
    return turn
  }

  #forget(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!this.#records.has(id)) return false
      await this.#database.del(id)
      return this.#records.delete(id)
    })
  }

  #find(secret: string): TicketRecord | undefined {
    const record = this.#records.get(idOfSecret(secret) ?? '')
    if (record === undefined || this.#revoked.has(record.id)) return undefined
    return timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(record.hash)) ? record : undefined
  }

  /** Takes those from the disk that have ended, and those whose revocation could not be written. What fails is tried again the next time. */
  async #forgetEnded(): Promise<void> {
    const now = this.#now()
    for (const { id, expiresAt } of this.#records.values()) {
      const isOver = expiresAt !== null && expiresAt + REMEMBERED_MS < now
      if (!isOver && !this.#revoked.has(id)) continue
      const isForgotten = await this.#forget(id).then(
        () => true,
        () => false,
      )
      if (!isForgotten) return
    }
  }
}

/** Why a ticket does not let peers in at this time. */
function untimelinessOf({ createdAt, expiresAt }: IssuedTicket, now: number): TicketRefusal | undefined {
  if (expiresAt === null) return undefined
  // a clock that went back would open expired tickets again
  if (now < createdAt - CLOCK_ALLOWANCE_MS) return 'ticket-clock'
  const allowanceMs = Math.min(CLOCK_ALLOWANCE_MS, (expiresAt - createdAt) / 10)
  return now >= expiresAt + allowanceMs ? 'ticket-expired' : undefined
}

function isUsedUp({ uses, peers }: IssuedTicket, bearer: string): boolean {
  return uses !== null && peers.length >= uses && !peers.includes(bearer)
}

function withoutHash({ id, service, createdAt, expiresAt, uses, peers }: TicketRecord): IssuedTicket {
  return { id, service, createdAt, expiresAt, uses, peers: [...peers] }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
