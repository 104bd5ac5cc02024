/** A program with two commands, for tests of how programs are run. */

import { serviceKind } from '../../../../peer/tunnel/listener/service-kinds.ts'
import type { Command, CommandContext } from '../../../../src/cli/command.ts'
import { defineCommand } from '../../../../src/cli/command.ts'
import { examplePeerId } from '../../../../src/config/kinds/address-kinds.ts'

/** What the help of `ping` shows as an example. */
export const example: string = `throughnat ping ${examplePeerId} --interval 2s`
const doc = 'Does something'

/** What `ping` does after it told what it got. */
export type Work = (context: CommandContext) => Promise<void> | void

/** A program with two commands; `ping` tells what it got and then does the given work. */
export function commands(work: Work = () => {}): Command[] {
  const ping = defineCommand({
    name: 'ping',
    summary: 'Measures the way to a peer',
    arguments: {
      target: { kind: 'peer-id', doc: 'Whom to ping' },
      extra: { kind: 'integer', optional: true, doc: 'More' },
    },
    options: {
      intervalMs: { kind: 'duration', default: '1s', doc: 'Time between two pings' },
      relays: { kind: 'multiaddr', name: 'relay', many: true, optional: true, doc: 'Relay to go through' },
      untilDirect: { kind: 'boolean', doc: 'End when the path is direct' },
      portMapping: { kind: 'boolean', default: true, doc: 'Ask the router' },
      port: { kind: 'port', optional: true, doc: 'Port to use' },
    },
    examples: [example],
    async run(config, context) {
      context.output.event('got', { ...config, ...context.arguments }, `got ${config.intervalMs}`)
      await work(context)
    },
  })
  const listen = defineCommand({
    name: 'listen',
    summary: 'Waits for peers',
    options: { expose: { kind: serviceKind, many: true, optional: true, doc } },
    examples: ['throughnat listen --expose web=127.0.0.1:80'],
    run() {},
  })
  return [ping, listen]
}
