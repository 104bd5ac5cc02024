/** The command `throughnat-relay`: its options. The work is in run-relay.ts, so that the help loads no libp2p. */

import { defineCommand } from '../../src/cli/command.ts'
import { admissionOptions } from '../admission/options.ts'
import { relayDefaults } from '../defaults.ts'
import { impliedLimits, limitOptions } from '../limits/options.ts'
import { statusOptions } from '../status/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

/** All options. */
export const relayOptions = {
  listen: {
    kind: 'multiaddr',
    many: true,
    default: relayDefaults.listen,
    placeholder: 'MA',
    doc: 'The address to listen on. Repeat it for more addresses',
  },
  announce: {
    kind: 'multiaddr',
    many: true,
    optional: true,
    placeholder: 'MA',
    doc: 'The address to announce to peers, if it is not an address of a network interface. Repeat it for more addresses',
  },
  tlsCert: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './fullchain.pem',
    doc: 'The certificate for /tls/ws addresses, in PEM, followed by its chain',
  },
  tlsKey: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './privkey.pem',
    doc: "The certificate's key, in PEM",
  },
  dataDir: {
    kind: 'path',
    default: '~/.local/share/throughnat-relay',
    placeholder: 'DIR',
    doc: 'The directory for the identity. It is created if it does not exist',
  },
  reservationTtlMs: {
    kind: 'duration',
    default: '1h',
    min: '1m',
    doc: 'How long a reservation lasts without a refresh',
  },
  ...statusOptions,
  drainMs: {
    kind: 'duration',
    default: '30s',
    doc: 'How long open circuits may continue after SIGTERM',
  },
  ...limitOptions,
  ...admissionOptions,
} as const

/** What {@link relayCommand} does. */
export type RunRelay = CommandRun<typeof relayOptions>

/** The program's only command. */
export const relayCommand: Command = defineCommand({
  name: 'throughnat-relay',
  summary: 'Run a relay: a public node that makes peers behind NATs reachable',
  options: relayOptions,
  examples: [
    'throughnat-relay',
    'throughnat-relay --listen /ip4/0.0.0.0/tcp/4001 --announce /ip4/192.0.2.1/tcp/4001 --data-dir /var/lib/throughnat-relay',
    'throughnat-relay --listen /ip4/0.0.0.0/tcp/443/tls/ws --announce /dns4/relay.example/tcp/443/tls/ws --tls-cert fullchain.pem --tls-key privkey.pem',
    'throughnat-relay --profile public --status 127.0.0.1:4002',
  ],
  implied: impliedLimits,
  endsWith: ['SIGTERM'],
  reloads: true,
  isOngoing: true,
  run: async (...given) => (await import('./run-relay.ts')).runRelay(...given),
})
