/** The ticket database in the data directory. Only one process at a time can open it. */

import { Database } from '../node/database.ts'
import { TicketBook } from './ticket-book.ts'
import type { TicketDatabase, TicketRecord } from './ticket-book.ts'

/** The name of the database in the data directory. */
const DATABASE = 'tickets'

/** A ticket counts only once it is on the disk. */
const DURABLE = { sync: true } as const

/**
 * Opens the tickets of a data directory. Resolves when all are read.
 *
 * @throws {DataDirError} with the reason `in-use` while a node runs with that directory, or if it cannot be
 * used
 */
export async function openTickets(dataDir: string): Promise<TicketBook> {
  return TicketBook.open(new TicketLevel(await Database.open<TicketRecord>(dataDir, DATABASE, 'json')))
}

class TicketLevel implements TicketDatabase {
  readonly #database: Database<TicketRecord>

  constructor(database: Database<TicketRecord>) {
    this.#database = database
  }

  async put(id: string, record: TicketRecord): Promise<void> {
    await this.#database.write([{ type: 'put', key: id, value: record }], DURABLE)
  }

  async del(id: string): Promise<void> {
    await this.#database.write([{ type: 'del', key: id }], DURABLE)
  }

  async *values(): AsyncIterable<TicketRecord> {
    if (!this.#database.isOpen) await this.#database.recover()
    for await (const [, record] of this.#database.entries()) yield record
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}
