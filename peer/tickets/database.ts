/** Where tickets are kept: a database in the data directory, which one process at a time can have open. */

import { openDatabase } from '../node/storage.ts'
import { TicketBook } from './ticket-book.ts'
import type { TicketRecord } from './ticket-book.ts'

/** The name of the database in the data directory. */
const DATABASE = 'tickets'

/**
 * Opens the tickets of a data directory.
 *
 * @throws {DataDirError} `in-use` while a node runs with that directory, or if it cannot be used
 */
export async function openTickets(dataDir: string): Promise<TicketBook> {
  return TicketBook.open(await openDatabase<TicketRecord>(dataDir, DATABASE, 'json'))
}
