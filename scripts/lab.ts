/**
 * Opens the NAT lab by hand: a relay, a dialer behind one NAT, a listener behind another, one trial, and what was seen.
 *
 *     node scripts/lab.ts eim-apdf-drop apdm-eif --delay 20ms --keep
 *
 * Needs Linux and root; see test/lab/README.md for the kinds of NATs.
 */

import { once } from 'node:events'
import ms from 'ms'
import { Command, InvalidArgumentError } from 'commander'
import { natKinds } from '../test/lab/net/network.ts'
import { createStage } from '../test/lab/stage.ts'
import { connectAndWatch } from '../test/lab/trial.ts'
import type { NatKindName } from '../test/lab/net/network.ts'
import type { Stage } from '../test/lab/stage.ts'

interface LabOptions {
  delay: number
  jitter: number
  loss: number
  keep: boolean
}

const program = new Command()
  .name('node scripts/lab.ts')
  .description(
    'Puts a dialer and a listener behind two NATs, and shows whether the path between them turns direct.',
  )
  .argument('<dialer NAT>', `one of ${Object.keys(natKinds).join(', ')}`, readKind)
  .argument('<listener NAT>', 'likewise', readKind)
  .option('--delay <duration>', 'one way, for each crossing of the wide area', readDuration, 20)
  .option('--jitter <duration>', 'added to the delay at random', readDuration, 0)
  .option('--loss <percent>', 'of all packets', Number, 0)
  .option('--keep', 'leave the network and its programs running until Ctrl-C', false)
  .addHelpText('after', '\nExample:\n  node scripts/lab.ts eim-apdf-drop eim-apdf-rst --delay 20ms --keep')
  .action(run)

await program.parseAsync()

async function run(dialerKind: NatKindName, listenerKind: NatKindName, options: LabOptions): Promise<void> {
  const { delay: delayMs, jitter: jitterMs, loss: lossPercent } = options
  await using stage = await createStage({ delayMs, jitterMs, lossPercent })
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopped.abort())
  const family = dialerKind.startsWith('firewall6') || listenerKind.startsWith('firewall6') ? 6 : 4
  const dialer = await stage.place('dialer', dialerKind)
  const listener = await stage.place('listener', listenerKind)
  const result = await Promise.race([
    connectAndWatch(stage.cast(dialer, listener, family), 'by-hand'),
    once(stopped.signal, 'abort').then(() => undefined),
  ])
  if (result === undefined) return
  for (const remote of [dialer, listener])
    for (const { event, at, name: _, ...fields } of remote.events)
      console.log(
        new Date(at).toISOString().slice(11, 23),
        remote.host.name.padEnd(8),
        event,
        JSON.stringify(fields),
      )
  console.log(
    result.path === 'direct'
      ? `direct after ${Math.round(result.directMs ?? 0)} ms`
      : `relayed: ${result.reason}`,
  )
  if (options.keep) await keepOpen(stage, stopped.signal)
}

async function keepOpen({ net }: Stage, stopped: AbortSignal): Promise<void> {
  console.log('\nThe network stays until Ctrl-C. Look inside with:')
  for (const { namespace } of [...net.hosts, ...net.nats])
    console.log(`  nsenter --net=/run/netns/${namespace.name} -- tcpdump -ni any`)
  if (!stopped.aborted) await once(stopped, 'abort')
}

function readKind(text: string): NatKindName {
  if (text in natKinds) return text as NatKindName
  throw new InvalidArgumentError(`Known are ${Object.keys(natKinds).join(', ')}.`)
}

function readDuration(text: string): number {
  const value = /[a-z]$/.test(text) ? ms(text as ms.StringValue) : undefined
  if (value === undefined) throw new InvalidArgumentError('Give a duration with its unit, such as 20ms.')
  return value
}
