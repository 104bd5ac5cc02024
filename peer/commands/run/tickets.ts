/** What `throughnat ticket`, `tickets` and `revoke` do. */

import { InvalidConfigError, UsageError } from '../../../src/errors.ts'
import { meaningOf, systemCodeOf } from '../../../src/failures/system-errors.ts'
import { outputWarning, replacePrivateFile } from '../../../src/files/private-file.ts'
import { withOffice } from '../running/open-ticket-issuer.ts'
import type { IssuedTicket } from '../../tickets/ticket-book.ts'
import type { NewTicket, TicketIssuer } from '../../tickets/ticket-issuer.ts'
import type { RunRevoke, RunTicket, RunTickets } from '../tickets.ts'

/** The descriptor of stdout. */
const STDOUT = 1

/** Issues a ticket, and prints it or writes it to a file. */
export const runTicket: RunTicket = async (
  { expiresMs = null, uses = null, relays, dataDir, output: file },
  { arguments: { service }, output },
) => {
  const wish = { service, validMs: expiresMs, uses }
  await withOffice(dataDir, async office => {
    const issued = await office.issue(wish, relays)
    const { ticket, text, isExposed } = issued
    if (file === undefined) {
      output.event('ticket', { ...ticket, text }, text)
      const warning = outputWarning(STDOUT, 'use --output FILE')
      if (warning !== undefined) output.note(warning)
    } else {
      await writeTicket(file, issued, office)
      output.event('ticket', { ...ticket, file }, `${ticket.id}  ${file}`)
    }
    output.note(
      `Anyone who has ${file === undefined ? 'this text' : 'this file'} may use ${describe(ticket)}. To revoke it: throughnat revoke ${ticket.id}`,
    )
    if (isExposed === false)
      output.note(`The node does not expose ${ticket.service} now. The ticket works when it does.`)
  })
}

/** Lists the tickets. */
export const runTickets: RunTickets = async ({ dataDir }, context) => {
  await withOffice(dataDir, async office => {
    const all = await office.list()
    for (const ticket of all) {
      context.output.event('ticket:listed', { ...ticket }, `${ticket.id}  ${describe(ticket)}`)
      // a list waits for its reader, however long it is: what waits beyond a bound would be dropped
      await context.output.flush()
    }
    if (all.length === 0) context.output.note('There are no tickets.')
  })
}

/** Revokes tickets. */
export const runRevoke: RunRevoke = async ({ dataDir }, context) => {
  await withOffice(dataDir, async office => {
    const missing: string[] = []
    for (const id of context.arguments.id) {
      if (await office.revoke(id)) context.output.event('ticket:revoked', { id }, `Revoked ${id}`)
      else missing.push(id)
    }
    if (missing.length > 0)
      throw new UsageError(`There is no ticket ${missing.join(', ')}. See throughnat tickets.`)
  })
}

/** @throws {InvalidConfigError} if the file cannot be written; the ticket is revoked then, because nobody has it */
async function writeTicket(file: string, { ticket, text }: NewTicket, office: TicketIssuer): Promise<void> {
  try {
    await replacePrivateFile(file, `${text}\n`)
  } catch (error) {
    await office.revoke(ticket.id)
    const code = systemCodeOf(error as Error)
    const why = code === undefined ? (error as Error).message : `${meaningOf(code)} (${code})`
    throw new InvalidConfigError([{ where: '--output', what: `${file} cannot be written: ${why}` }], {
      cause: error,
    })
  }
}

function describe({ service, expiresAt, uses, peers }: IssuedTicket): string {
  const until =
    expiresAt === null
      ? 'until it is revoked'
      : `${expiresAt < Date.now() ? 'expired on' : 'until'} ${new Date(expiresAt).toISOString()}`
  return `${service}, ${until}${uses === null ? '' : `, ${peers.length} of ${uses} uses`}`
}
