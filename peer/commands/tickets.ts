/** `throughnat ticket`, `tickets` and `revoke`: let somebody in by a secret instead of by a peer id. */

import { defineCommand } from '../../src/cli/command.ts'
import { serviceNameKind } from '../tunnel/listener/service-kinds.ts'
import { UsageError } from '../../src/errors.ts'
import { MAX_USES } from '../tickets/ticket-book.ts'
import { withOffice } from './running/open-ticket-issuer.ts'
import { dataDir, relays } from './options/options.ts'
import type { Command } from '../../src/cli/command.ts'
import type { IssuedTicket } from '../tickets/ticket-book.ts'

const nodeDataDir = { ...dataDir, doc: "The node's data directory; the node may be running or not" } as const

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
      doc: 'How long it is valid; without it, until it is revoked',
    },
    uses: {
      kind: 'integer',
      optional: true,
      min: 1,
      max: MAX_USES,
      example: '1',
      doc: 'How many peers may come with it; a forward without --data-dir is another peer at each start',
    },
    relays: { ...relays, doc: 'Where the node is to be found; without it, where it is now if it is running' },
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
        `Whoever has this text may use ${describe(ticket)}. To end it: throughnat revoke ${ticket.id}`,
      )
      if (isExposed === false)
        context.output.note(`The node exposes no ${ticket.service} now: until it does, nobody gets in.`)
    })
  },
})

export const tickets: Command = defineCommand({
  name: 'tickets',
  summary: 'List the tickets that were made and not revoked, without their secrets',
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
      if (all.length === 0) context.output.note('There are none.')
    })
  },
})

export const revoke: Command = defineCommand({
  name: 'revoke',
  summary: 'End tickets, and the connections that were opened with them',
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
      : `${expiresAt < Date.now() ? 'ended on' : 'until'} ${new Date(expiresAt).toISOString()}`
  return `${service}, ${until}${uses === null ? '' : `, ${peers.length} of ${uses} uses`}`
}
