/**
 * The commands `throughnat ticket`, `tickets` and `revoke`: allow the holder of a secret to use a service.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { serviceNameKind } from '../tunnel/listener/service-kinds.ts'
import { UsageError } from '../../src/errors.ts'
import { MAX_USES } from '../tickets/ticket-book.ts'
import { withOffice } from './running/open-ticket-issuer.ts'
import { dataDir, relays } from './options/options.ts'
import type { Command } from '../../src/cli/command.ts'
import type { IssuedTicket } from '../tickets/ticket-book.ts'

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
  },
  examples: [
    'throughnat ticket ssh --expires 24h --uses 1',
    'throughnat ticket web --data-dir /var/lib/throughnat > web.ticket',
  ],
  run: async ({ expiresMs = null, uses = null, relays, dataDir }, context) => {
    const wish = { service: context.arguments.service, validMs: expiresMs, uses }
    await withOffice(dataDir, async office => {
      const { ticket, text, isExposed } = await office.issue(wish, relays)
      context.output.event('ticket', { ...ticket, text }, text)
      context.output.note(
        `Anyone who has this text may use ${describe(ticket)}. To revoke it: throughnat revoke ${ticket.id}`,
      )
      if (isExposed === false)
        context.output.note(`The node does not expose ${ticket.service} now. The ticket works when it does.`)
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

function describe({ service, expiresAt, uses, peers }: IssuedTicket): string {
  const until =
    expiresAt === null
      ? 'until it is revoked'
      : `${expiresAt < Date.now() ? 'expired on' : 'until'} ${new Date(expiresAt).toISOString()}`
  return `${service}, ${until}${uses === null ? '' : `, ${peers.length} of ${uses} uses`}`
}
