/**
 * What libp2p remembers of other peers: in memory first, and written to the database in the background.
 *
 * libp2p waits for this store whenever a stream opens. The invariant: nothing here waits for the disk for long, and no
 * write is ever rejected. What cannot be written stays in memory, within a bound, and is tried again.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../src/time/backoff.ts'
import type { DataDirError } from '../../src/errors.ts'
import type { Change, Database, KeyRange } from './database.ts'

/** How the background writes go. */
export interface WriteReport {
  /** Writing has failed, with the system's error code, or `no answer` from the disk; called once until {@link recovered}. */
  failed(reason: string): void
  /** Everything that is in memory is written. `dropped` records were not, since there were too many. */
  recovered(dropped: number): void
}

/** Records in memory at most. Each is a peer: some hundred bytes, or up to 4 KiB of a stranger (src/patches/libp2p/bounded-peer-store.ts). */
const MAX_RECORDS = 1_000

/** A disk that does not answer within this time, in milliseconds, is treated as if it had no such record. */
const READ_MS = 500

/** A write that takes longer, in milliseconds, is reported as failing. It goes on. */
const SLOW_WRITE_MS = 10_000

interface Entry {
  /** Undefined for a record that was deleted. */
  value: Uint8Array | undefined
  isWritten: boolean
}

/** Offers the part of a Level database that `datastore-level` uses. */
export class WriteBehind {
  readonly #database: Database<Uint8Array>
  readonly #backoff = new Backoff()
  readonly #closed = new AbortController()
  /** The last one to be used stands last. */
  readonly #entries = new Map<string, Entry>()
  readonly #unwritten = new Set<string>()
  #writing: Promise<void> | undefined
  #report: WriteReport | undefined
  /** Why the last write failed. */
  #failure: string | undefined
  #dropped = 0
  /** Reads that the disk has not answered. */
  #slowReads = 0

  constructor(database: Database<Uint8Array>) {
    this.#database = database
    // opens a database that could not be opened at the start
    if (!database.isOpen) this.#write()
  }

  /** Reports from now on. Writes that fail already are reported in the next turn of the event loop. */
  watch(report: WriteReport): void {
    this.#report = report
    setImmediate(() => {
      if (this.#failure !== undefined) report.failed(this.#failure)
    })
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#change(key, value)
  }

  async del(key: string): Promise<void> {
    this.#change(key, undefined)
  }

  async batch(changes: readonly Change<Uint8Array>[]): Promise<void> {
    for (const change of changes) this.#change(change.key, change.type === 'put' ? change.value : undefined)
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return this.#read(key)
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** As Level's iterators, it has a `close()`; `datastore-level` calls it at the end. */
  iterator(range: KeyRange): AsyncGenerator<[Uint8Array, Uint8Array]> & { close(): Promise<void> } {
    const entries = this.#iterate(range)
    const close = async (): Promise<void> => {
      await entries.return(undefined)
    }
    return Object.assign(entries, { close })
  }

  async *#iterate({ gte = '', lt }: KeyRange): AsyncGenerator<[Uint8Array, Uint8Array]> {
    const isWithin = (key: string): boolean => key >= gte && (lt === undefined || key < lt)
    const known = new Map([...this.#entries].filter(([key]) => isWithin(key)))
    for (const [key, { value }] of known) if (value !== undefined) yield [Buffer.from(key), value]
    try {
      for await (const [key, value] of this.#database.entries({ gte, ...(lt === undefined ? {} : { lt }) }))
        if (!known.has(key)) yield [Buffer.from(key), value]
    } catch {
      // a disk that cannot be read has no more to give
    }
  }

  /** Tries once more to write what is left. It does not close the database. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#writing
    const keys = [...this.#unwritten]
    if (keys.length > 0) await this.#database.write(this.#changes(keys)).catch(() => {})
  }

  #change(key: string, value: Uint8Array | undefined): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, isWritten: false })
    this.#unwritten.add(key)
    this.#forgetOldest()
    this.#write()
  }

  /** Those that are written go first. */
  #forgetOldest(): void {
    if (this.#entries.size <= MAX_RECORDS) return
    for (const [key, { isWritten }] of this.#entries) {
      if (!isWritten) continue
      this.#entries.delete(key)
      return
    }
    const [oldest = ''] = this.#entries.keys()
    this.#entries.delete(oldest)
    this.#unwritten.delete(oldest)
    this.#dropped += 1
  }

  #write(): void {
    if (this.#closed.signal.aborted) return
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  /** Writes until nothing is left, with growing pauses while it fails. One write is under way at a time. */
  async #writeAll(): Promise<void> {
    const { signal } = this.#closed
    do {
      try {
        await this.#writeOnce()
      } catch (error) {
        this.#fail((error as DataDirError).problem)
        await pause(this.#backoff.next(), undefined, { signal, ref: false }).catch(() => {})
      }
    } while (!signal.aborted && (this.#unwritten.size > 0 || this.#failure !== undefined))
  }

  async #writeOnce(): Promise<void> {
    const keys = [...this.#unwritten]
    const entries = keys.map(key => this.#entries.get(key))
    const slow = setTimeout(() => this.#fail('no answer'), SLOW_WRITE_MS).unref()
    await this.#database.write(this.#changes(keys)).finally(() => clearTimeout(slow))
    for (const [n, key] of keys.entries()) {
      const entry = this.#entries.get(key)
      // one that has changed meanwhile is written again
      if (entry === undefined || entry !== entries[n]) continue
      entry.isWritten = true
      this.#unwritten.delete(key)
    }
    this.#backoff.reset()
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#report?.recovered(this.#dropped)
    this.#dropped = 0
  }

  #fail(reason: string): void {
    const isFirst = this.#failure === undefined
    this.#failure = reason
    if (isFirst) this.#report?.failed(reason)
  }

  #changes(keys: readonly string[]): Change<Uint8Array>[] {
    return keys.map(key => {
      const value = this.#entries.get(key)?.value
      return value === undefined ? { type: 'del', key } : { type: 'put', key, value }
    })
  }

  /** A read that hangs takes one of the few threads of Node.js, so that there is only one of them. */
  async #read(key: string): Promise<Uint8Array | undefined> {
    if (this.#slowReads > 0) return undefined
    let isSlow = false
    const reading = this.#database
      .get(key)
      .catch(() => undefined)
      .finally(() => {
        if (isSlow) this.#slowReads -= 1
      })
    const { promise: late, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => {
      isSlow = true
      this.#slowReads += 1
      resolve(undefined)
    }, READ_MS)
    const value = await Promise.race([reading, late])
    clearTimeout(timer)
    return value
  }
}
