/**
 * Time to direct and rate of success, ours beside go-libp2p in the same cells: `npm run bench:peers`.
 *
 * In each cell, peers of one implementation behind two NATs connect over a relay of the same, a number of times with fresh nodes in warm programs; the two
 * implementations take turns. Needs Linux, root and Go.
 */

import { parseArgs } from 'node:util'
import { build, isBuilt, programOf, versionOf } from '../test/interop/programs.ts'
import { createStage } from '../test/lab/stage.ts'
import { connectAndWatch } from '../test/lab/trial.ts'
import { median } from './bench/stats.ts'
import type { NatKindName } from '../test/lab/net/network.ts'
import type { Stage } from '../test/lab/stage.ts'
import type { Cast, TrialResult } from '../test/lab/trial.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    delay: { type: 'string', default: '20' },
    cells: {
      type: 'string',
      default: [
        'none:eim-apdf-drop',
        'eim-apdf-drop:none',
        'eim-eif:eim-apdf-drop',
        'eim-adf:eim-adf',
        'eim-apdf-drop:eim-apdf-drop',
        'eim-apdf-rst:eim-apdf-rst',
        'eim-apdf-icmp:eim-apdf-icmp',
        'eim-apdf-rst:eim-apdf-drop',
        'apdm-eif:eim-apdf-drop',
        'eim-adf:apdm-apdf-drop',
      ].join(','),
    },
  },
})
const runs = Number(values.runs)
const delayMs = Number(values.delay)

/** As long as go-libp2p takes for its three attempts. */
const DIRECT_TIMEOUT_MS = 20_000

const contenders = ['ours', 'go'] as const
type Contender = (typeof contenders)[number]

if (!isBuilt('go')) build('go')
console.log(
  `${contenders.map(versionOf).join('; ')}; ${delayMs} ms one way, ${runs} runs a cell, medians (minimum-maximum)`,
)
console.log(
  'initiator        responder        ours: direct, ms            go: direct, ms              ours/go',
)
for (const cell of values.cells.split(',')) {
  const [dialer, listener] = cell.split(':') as [NatKindName, NatKindName]
  console.log(row(dialer, listener, await measure(dialer, listener)))
}

async function measure(
  dialer: NatKindName,
  listener: NatKindName,
): Promise<Record<Contender, TrialResult[]>> {
  await using ours = await set('ours', dialer, listener)
  await using go = await set('go', dialer, listener)
  const results: Record<Contender, TrialResult[]> = { ours: [], go: [] }
  const sets = { ours, go }
  for (const name of contenders) await trial(sets[name].cast, 'warm-up')
  for (let run = 1; run <= runs; run++)
    for (const name of contenders) results[name].push(await trial(sets[name].cast, `run-${run}`))
  return results
}

async function set(
  name: Contender,
  dialerNat: NatKindName,
  listenerNat: NatKindName,
): Promise<{ cast: Cast } & AsyncDisposable> {
  const { program, args } = programOf(name)
  const stage: Stage = await createStage({ delayMs }, program, args)
  const listener = await stage.place('listener', listenerNat, program, args)
  const dialer = await stage.place('dialer', dialerNat, program, args)
  return {
    cast: stage.cast(dialer, listener),
    [Symbol.asyncDispose]: async () => stage[Symbol.asyncDispose](),
  }
}

async function trial(cast: Cast, name: string): Promise<TrialResult> {
  const { dialer, listener } = cast
  try {
    return await connectAndWatch(cast, name, DIRECT_TIMEOUT_MS)
  } finally {
    await Promise.allSettled([dialer.do('stop', { name }), listener.do('stop', { name })])
  }
}

function row(dialer: string, listener: string, results: Record<Contender, TrialResult[]>): string {
  const ours = median(timesOf(results.ours))
  const go = median(timesOf(results.go))
  const ratio = (ours / go).toFixed(2)
  const told = contenders.map(name => tell(results[name]).padEnd(27))
  return [dialer.padEnd(16), listener.padEnd(16), ...told, ratio].join(' ')
}

function tell(results: readonly TrialResult[]): string {
  const times = timesOf(results)
  const rate = `${times.length}/${results.length}`
  if (times.length === 0) return rate
  return `${rate}  ${median(times).toFixed(0)} (${Math.min(...times).toFixed(0)}-${Math.max(...times).toFixed(0)})`
}

function timesOf(results: readonly TrialResult[]): number[] {
  return results.flatMap(({ directMs }) => directMs ?? [])
}
