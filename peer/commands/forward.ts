/**
 * The command `throughnat forward`: forwards local TCP connections, or standard input and output, to a
 * service of a remote peer.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { target } from './options/target.ts'
import { dialingOptions } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

const operands = {
  target,
  service: {
    kind: 'string',
    placeholder: 'NAME',
    optional: true,
    doc: 'The name of the service. Leave it out with a ticket',
    example: 'web',
  },
} as const

const options = {
  ...dialingOptions,
  local: {
    kind: 'host-port',
    optional: true,
    example: '127.0.0.1:9090',
    doc: 'Listen on this address and forward each connection',
  },
  stdio: { kind: 'boolean', doc: "Forward standard input and output, for ssh's ProxyCommand" },
  timeoutMs: { kind: 'duration', default: '30s', min: '100ms', doc: 'Time to reach the peer' },
} as const

/** What {@link forward} does. */
export type RunForward = CommandRun<typeof options, typeof operands>

export const forward: Command = defineCommand({
  name: 'forward',
  summary: 'Forward TCP connections to a service that a remote peer exposes',
  arguments: operands,
  options,
  examples: [
    'throughnat forward /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer... web --local 127.0.0.1:9090',
    'throughnat forward @home.ticket --local 127.0.0.1:2222',
    "ssh -o ProxyCommand='throughnat forward 12D3KooWPeer... ssh --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --stdio' user@home",
  ],
  isOngoing: true,
  run: async (...given) => (await import('./run/forward.ts')).runForward(...given),
})
