/**
 * The commands `throughnat ticket`, `tickets` and `revoke`: allow the holder of a secret to use a service.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { serviceNameKind } from '../tunnel/listener/service-kinds.ts'
import { MAX_USES } from '../tickets/max-uses.ts'
import { dataDir, relays } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

const nodeDataDir = { ...dataDir, doc: "The node's data directory. The node need not be running" } as const

const ticketOperands = {
  service: { kind: serviceNameKind, placeholder: 'NAME', doc: 'The name of the service', example: 'ssh' },
} as const

const ticketOptions = {
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
} as const

const revokeOperands = {
  id: {
    kind: 'string',
    many: true,
    doc: 'The id of a ticket, as `throughnat tickets` lists it',
    example: '0123456789abcdef',
  },
} as const

const storeOptions = { dataDir: nodeDataDir } as const

/** What {@link ticket} does. */
export type RunTicket = CommandRun<typeof ticketOptions, typeof ticketOperands>

/** What {@link tickets} does. */
export type RunTickets = CommandRun<typeof storeOptions>

/** What {@link revoke} does. */
export type RunRevoke = CommandRun<typeof storeOptions, typeof revokeOperands>

export const ticket: Command = defineCommand({
  name: 'ticket',
  summary: 'Make a ticket: a text that allows its holder to use a service',
  arguments: ticketOperands,
  options: ticketOptions,
  examples: [
    'throughnat ticket ssh --expires 24h --uses 1',
    'throughnat ticket web --data-dir /var/lib/throughnat --output web.ticket',
  ],
  run: async (...given) => (await import('./run/tickets.ts')).runTicket(...given),
})

export const tickets: Command = defineCommand({
  name: 'tickets',
  summary: 'List the tickets that are not revoked, without their secrets',
  options: storeOptions,
  examples: ['throughnat tickets', 'throughnat tickets --json'],
  run: async (...given) => (await import('./run/tickets.ts')).runTickets(...given),
})

export const revoke: Command = defineCommand({
  name: 'revoke',
  summary: 'Revoke tickets, and close the connections that were opened with them',
  arguments: revokeOperands,
  options: storeOptions,
  examples: ['throughnat revoke 0123456789abcdef'],
  run: async (...given) => (await import('./run/tickets.ts')).runRevoke(...given),
})
