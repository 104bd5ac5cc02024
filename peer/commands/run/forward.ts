/** What `throughnat forward` does. */

import { once } from 'node:events'
import { UsageError } from '../../../src/errors.ts'
import { readNames } from '../../connections/names.ts'
import { NodeStatus } from '../../status/node-status.ts'
import { forwardStdio } from '../../tunnel/dialer/forward-stdio.ts'
import { readDestination, serviceOf } from '../options/destination.ts'
import { startDialingPeer, withTimeout } from '../running/dial.ts'
import { startControl } from '../running/control.ts'
import { carriageTo, startForward } from '../running/forwards.ts'
import { reportPeer } from '../running/report.ts'
import type { CommandContext } from '../../../src/cli/command.ts'
import type { RunForward } from '../forward.ts'
import type { DialingPeer } from '../running/dial.ts'

/** Forwards until `context.signal` fires. With `--stdio`, until the stream has ended. */
export const runForward: RunForward = async (config, context) => {
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
}

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
