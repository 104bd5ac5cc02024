/**
 * The command `throughnat forward`: forwards local TCP connections, or standard input and output, to a
 * service of a remote peer.
 */

import { once } from 'node:events'
import { defineCommand } from '../../src/cli/command.ts'
import { UsageError } from '../../src/errors.ts'
import { readNames } from '../connections/names.ts'
import { NodeStatus } from '../status/node-status.ts'
import { forwardStdio } from '../tunnel/dialer/forward-stdio.ts'
import { readDestination, serviceOf, target } from './options/destination.ts'
import { dialingOptions, startDialingPeer, withTimeout } from './running/dial.ts'
import { startControl } from './running/control.ts'
import { carriageTo, startForward } from './running/forwards.ts'
import { reportPeer } from './running/report.ts'
import type { Command, CommandContext } from '../../src/cli/command.ts'
import type { DialingPeer } from './running/dial.ts'

export const forward: Command = defineCommand({
  name: 'forward',
  summary: 'Forward TCP connections to a service that a remote peer exposes',
  arguments: {
    target,
    service: {
      kind: 'string',
      placeholder: 'NAME',
      optional: true,
      doc: 'The name of the service. Leave it out with a ticket',
      example: 'web',
    },
  },
  options: {
    ...dialingOptions,
    local: {
      kind: 'host-port',
      optional: true,
      example: '127.0.0.1:9090',
      doc: 'Listen on this address and forward each connection',
    },
    stdio: { kind: 'boolean', doc: "Forward standard input and output, for ssh's ProxyCommand" },
    timeoutMs: { kind: 'duration', default: '30s', min: '100ms', doc: 'Time to reach the peer' },
  },
  examples: [
    'throughnat forward /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer... web --local 127.0.0.1:9090',
    'throughnat forward @home.ticket --local 127.0.0.1:2222',
    "ssh -o ProxyCommand='throughnat forward 12D3KooWPeer... ssh --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --stdio' user@home",
  ],
  isOngoing: true,
  run: async (config, context) => {
    const { local, stdio, timeoutMs } = config
    const { output, signal } = context
    if ((local === undefined) === !stdio)
      throw new UsageError(
        'Use either --local HOST:PORT or --stdio, to select where the connections come from.',
      )
    const { target, service: named } = context.arguments
    if (stdio && target === '-')
      throw new UsageError('With --stdio the ticket cannot come from standard input: pass it as @FILE.')
    const warn = (text: string): void => output.note(text)
    const names = await readNames(config.names, warn)
    const destination = await readDestination(target, { ...context, names })
    const service = serviceOf(destination, named)
    const dialing = await startDialingPeer(config, signal, warn)
    await using peer = dialing.peer
    const stdout = stdio ? output.claimStdout() : undefined
    reportPeer(peer, output)
    const status = new NodeStatus(peer, names)
    await using _control = await startStatus(config.dataDir, dialing, status, context)
    const connection = await withTimeout(timeoutMs, signal, destination.label, options =>
      peer.connect(destination.target, options),
    )
    const carriage = await carriageTo(dialing, destination, service, connection)
    if (stdout !== undefined) {
      await forwardStdio({ stdin: context.stdin, stdout, ...carriage, signal })
    } else if (local !== undefined) {
      await using _running = await startForward(local, carriage, destination, { output, signal, status })
      if (!signal.aborted) await once(signal, 'abort')
    }
  },
})

/** Serves `throughnat status`, if there is a data directory and this process runs as its peer. */
async function startStatus(
  dataDir: string | undefined,
  { principal }: DialingPeer,
  status: NodeStatus,
  { output, signal }: Pick<CommandContext, 'output' | 'signal'>,
): Promise<AsyncDisposable | undefined> {
  if (dataDir === undefined || principal !== undefined) return undefined
  return startControl(dataDir, { 'GET /status': async () => status.snapshot({ signal }) }, output)
}
