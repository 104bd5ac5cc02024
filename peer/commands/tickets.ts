/**
 * The commands `throughnat ticket`, `tickets` and `revoke`: allow the holder of a secret to use a service.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { serviceNameKind } from '../tunnel/listener/service-kinds.ts'
import { InvalidConfigError, UsageError } from '../../src/errors.ts'
import { meaningOf, systemCodeOf } from '../../src/failures/system-errors.ts'
import { outputWarning, replacePrivateFile } from '../../src/files/private-file.ts'
import { MAX_USES } from '../tickets/ticket-book.ts'
import { withOffice } from './running/open-ticket-issuer.ts'
import { dataDir, relays } from './options/options.ts'
import type { Command } from '../../src/cli/command.ts'
import type { IssuedTicket } from '../tickets/ticket-book.ts'
import type { NewTicket, TicketIssuer } from '../tickets/ticket-issuer.ts'

/** The descriptor of stdout. */
const STDOUT = 1

const nodeDataDir = { ...dataDir, doc: "The node's data directory. The node need not be running" } as const

export const ticket: Command = defineCommand({
  name: 'ticket',
  summary: 'Make a ticket: a text that allows its holder to use a service',
  arguments: {
    service: { kind: serviceNameKind, placeholder: 'NAME', doc: 'The name of the service', example: 'ssh' },
  },
  options: {
    expiresMs: {
      kind: 'duration',
      optional: true,
      min: '1s',
      example: '24h',
      doc: 'How long it is valid. Without it, until it is revoked',
    },
    uses: {
      kind: 'integer',
      optional: true,
      min: 1,
      max: MAX_USES,
      example: '1',
      doc: 'How many peers may use it. A forward without --data-dir is a new peer at each start',
    },
    relays: {
      ...relays,
      doc: 'The relays of the node. Without it, the current addresses of the running node',
    },
    dataDir: nodeDataDir,
    output: {
      kind: 'path',
      optional: true,
      placeholder: 'FILE',
      example: 'home.ticket',
      doc: 'Write the ticket to this file, which only this user can read, and not to stdout',
    },
  },
  examples: [
    'throughnat ticket ssh --expires 24h --uses 1',
    'throughnat ticket web --data-dir /var/lib/throughnat --output web.ticket',
  ],
  run: async (
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
  },
})

export const tickets: Command = defineCommand({
  name: 'tickets',
  summary: 'List the tickets that are not revoked, without their secrets',
  options: { dataDir: nodeDataDir },
  examples: ['throughnat tickets', 'throughnat tickets --json'],
  run: async ({ dataDir }, context) => {
    await withOffice(dataDir, async office => {
      const all = await office.list()
      for (const ticket of all) {
        context.output.event('ticket:listed', { ...ticket }, `${ticket.id}  ${describe(ticket)}`)
        // a list waits for its reader, however long it is: what waits beyond a bound would be dropped
        await context.output.flush()
      }
      if (all.length === 0) context.output.note('There are no tickets.')
    })
  },
})

export const revoke: Command = defineCommand({
  name: 'revoke',
  summary: 'Revoke tickets, and close the connections that were opened with them',
  arguments: {
    id: {
      kind: 'string',
      many: true,
      doc: 'The id of a ticket, as `throughnat tickets` lists it',
      example: '0123456789abcdef',
    },
  },
  options: { dataDir: nodeDataDir },
  examples: ['throughnat revoke 0123456789abcdef'],
  run: async ({ dataDir }, context) => {
    await withOffice(dataDir, async office => {
      const missing: string[] = []
      for (const id of context.arguments.id) {
        if (await office.revoke(id)) context.output.event('ticket:revoked', { id }, `Revoked ${id}`)
        else missing.push(id)
      }
      if (missing.length > 0)
        throw new UsageError(`There is no ticket ${missing.join(', ')}. See throughnat tickets.`)
    })
  },
})

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
