/** The ticket database in the data directory. Only one process at a time can open it. */

import { openDatabase } from '../node/storage.ts'
import { TicketBook } from './ticket-book.ts'
import type { TicketRecord } from './ticket-book.ts'

/** The name of the database in the data directory. */
const DATABASE = 'tickets'

/**
 * Opens the tickets of a data directory. Resolves when all are read.
 *
 * @throws {DataDirError} with the reason `in-use` while a node runs with that directory, or if it cannot be
 * used
 */
export async function openTickets(dataDir: string): Promise<TicketBook> {
  return TicketBook.open(await openDatabase<TicketRecord>(dataDir, DATABASE, 'json'))
}
