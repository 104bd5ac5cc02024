/** The command `throughnat up`: runs all services and forwards of one configuration, for example at boot. */

import { defineCommand } from '../../src/cli/command.ts'
import { UsageError } from '../../src/errors.ts'
import { forwardRuleKind } from './options/forward-rule.ts'
import { nodeOptions } from './options/node-options.ts'
import type { Command } from '../../src/cli/command.ts'

export const up: Command = defineCommand({
  name: 'up',
  summary: 'Run all services and forwards of a configuration, until stopped',
  options: {
    ...nodeOptions,
    forward: {
      kind: forwardRuleKind,
      many: true,
      optional: true,
      doc: 'Listen on LOCAL, and forward each connection to the service NAME of the peer TARGET, or to the service of the ticket in FILE',
    },
    strict: {
      kind: 'boolean',
      doc: 'End with an error if a forward cannot listen, for example because its port is in use. Otherwise it is tried again, and the others work',
    },
  },
  reloads: true,
  isOngoing: true,
  examples: [
    'throughnat up --config /etc/throughnat/peer.yaml --data-dir /var/lib/throughnat',
    'throughnat up --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --forward 127.0.0.1:2222=home/ssh --forward 127.0.0.1:8080=@web.ticket',
  ],
  run: async (config, context) => {
    const { forward, expose, strict } = config
    if (forward.length === 0 && expose.length === 0)
      throw new UsageError(
        'There is nothing to run: use --expose or --forward, or a --config that contains them.',
      )
    const { runNode } = await import('./running/run-node.ts')
    await runNode(config, context, { rules: forward, isStrict: strict })
  },
})
