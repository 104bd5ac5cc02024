/** Opens the ticket issuer of a data directory: in this process, or in the node that runs with it. */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { DataDirError } from '../../../src/errors.ts'
import { loadIdentity } from '../../../src/files/identity.ts'
import { openTickets } from '../../tickets/database.ts'
import { LocalOffice } from '../../tickets/ticket-issuer.ts'
import { RemoteOffice } from '../../tickets/routes.ts'
import type { TicketBook } from '../../tickets/ticket-book.ts'
import type { TicketIssuer } from '../../tickets/ticket-issuer.ts'

/**
 * Runs `act` with the ticket issuer of a data directory.
 *
 * @throws {DataDirError} if the directory cannot be used
 * @throws {UnreachableError} if a node runs with it and does not answer
 */
export async function withOffice(
  dataDir: string,
  act: (office: TicketIssuer) => Promise<void>,
): Promise<void> {
  const book = await open(dataDir)
  if (book === undefined) {
    await act(new RemoteOffice(dataDir))
    return
  }
  try {
    const peerId = peerIdFromPrivateKey(await loadIdentity(dataDir))
    await act(new LocalOffice({ book, peerId, addrs: async () => [] }))
  } finally {
    await book.close()
  }
}

/** Resolves with `undefined` if a node runs with that directory, or only a node of another user may, which root can ask. */
async function open(dataDir: string): Promise<TicketBook | undefined> {
  try {
    return await openTickets(dataDir)
  } catch (error) {
    if (!(error instanceof DataDirError)) throw error
    const isRootElsewhere = error.reason === 'unsafe' && process.geteuid?.() === 0
    if (error.reason === 'in-use' || isRootElsewhere) return undefined
    throw error
  }
}
