/**
 * The tickets that this peer has issued, in a LevelDB in its data directory.
 *
 * Invariants: the database contains only hashes of the secrets, so reading it does not allow using the
 * tickets. A use is on disk before its holder is admitted. A ticket that was removed from memory was removed
 * from disk before.
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
export const MAX_TICKETS = 10_000

/** The most uses that one ticket may have. */
export const MAX_USES = 1000

/** How long expired tickets stay listed, in milliseconds. */
const REMEMBERED_MS = 7 * 24 * 60 * 60_000

/** Wrong secrets that a peer may show: 5, and one more every 5 s. A person who mistypes shows one. */
const GUESSES = { capacity: 5, perSecond: 0.2, maxKeys: 10_000 } as const

export class TicketBook implements TicketVerifier, AsyncDisposable {
  readonly #database: TicketDatabase
  readonly #records: Map<string, TicketRecord>
  readonly #now: () => number
  readonly #guesses = new TokenBuckets(GUESSES)
  /**
   * Tickets revoked since the start. Sessions of an expired ticket that was deleted are not closed, so it is
   * not listed here.
   */
  readonly #revoked = new Set<string>()
  #lastTurn: Promise<unknown> = Promise.resolve()

  private constructor(database: TicketDatabase, records: Map<string, TicketRecord>, now: () => number) {
    this.#database = database
    this.#records = records
    this.#now = now
  }

  /**
   * Reads all tickets from a database. `now` returns milliseconds since the epoch, and is replaced in tests.
   */
  static async open(database: TicketDatabase, now: () => number = Date.now): Promise<TicketBook> {
    const records = new Map<string, TicketRecord>()
    for await (const record of database.values()) records.set(record.id, record)
    const book = new TicketBook(database, records, now)
    await book.#forgetEnded()
    return book
  }

  /** All tickets except revoked ones, the oldest first. */
  get tickets(): IssuedTicket[] {
    const all = [...this.#records.values()].toSorted((a, b) => a.createdAt - b.createdAt)
    return all.map(withoutHash)
  }

  /**
   * Creates a ticket. Its secret is only in the result.
   *
   * @throws {RangeError} if there are {@link MAX_TICKETS} tickets
   */
  async issue({ service, validMs, uses }: TicketWish): Promise<{ ticket: IssuedTicket; secret: string }> {
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

  /** Revokes a ticket. Resolves with false if there is none with that id. */
  async revoke(id: string): Promise<boolean> {
    const isForgotten = await this.#forget(id)
    if (isForgotten) this.#revoked.add(id)
    return isForgotten
  }

  look(
    secret: string,
    service: string,
    bearer: string,
    caller: string = bearer,
  ): { id: string } | TicketRefusal {
    if (this.#guesses.waitMs(caller) > 0) return 'ticket-guesses'
    const record = this.#find(secret)
    if (record === undefined) {
      this.#guesses.take(caller)
      return 'ticket-unknown'
    }
    if (record.service !== service) return 'ticket-unknown'
    if (record.expiresAt !== null && this.#now() >= record.expiresAt) return 'ticket-expired'
    return isUsedUp(record, bearer) ? 'ticket-used-up' : { id: record.id }
  }

  async count(id: string, bearer: string): Promise<TicketRefusal | undefined> {
    return this.#inTurn(async () => {
      const record = this.#records.get(id)
      if (record === undefined) return 'ticket-unknown'
      if (isUsedUp(record, bearer)) return 'ticket-used-up'
      if (record.uses === null || record.peers.includes(bearer)) return undefined
      const counted = { ...record, peers: [...record.peers, bearer] }
      await this.#database.put(id, counted)
      this.#records.set(id, counted)
      return undefined
    })
  }

  isRevoked(id: string): boolean {
    return this.#revoked.has(id)
  }

  async close(): Promise<void> {
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
    if (record === undefined) return undefined
    return timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(record.hash)) ? record : undefined
  }

  async #forgetEnded(): Promise<void> {
    const now = this.#now()
    for (const { id, expiresAt } of this.#records.values())
      if (expiresAt !== null && expiresAt + REMEMBERED_MS < now) await this.#forget(id)
  }
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
