/**
 * How long a path takes to turn direct, in round trips of the network it happens in: `npm run bench`.
 *
 * For each delay a dialer and a listener behind NATs (EIM+APDF, early SYNs dropped) connect a number of times. Printed
 * are medians: the time from the circuit to the direct connection, beside the round trips over the circuit (R) and over
 * the direct path (D) measured in the same run, and what remains after R + 3 D. Needs Linux and root.
 */

import { parseArgs } from 'node:util'
import { median } from './bench/stats.ts'
import { createStage } from '../test/lab/stage.ts'
import { connectAndWatch } from '../test/lab/trial.ts'
import type { Cast } from '../test/lab/trial.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    delays: { type: 'string', default: '2,20,100' },
  },
})
const runs = Number(values.runs)

/** One run, in milliseconds. */
interface Sample {
  relayedRttMs: number
  directRttMs: number
  directMs: number
}

console.log(`${process.version}, ${runs} runs each, medians (minimum-maximum)`)
console.log('one way   R relayed   D direct   circuit to direct           R+3D   left   in R   in D')
for (const delayMs of values.delays.split(',').map(Number)) {
  const samples = await measure(delayMs)
  console.log(row(delayMs, samples))
}

async function measure(delayMs: number): Promise<Sample[]> {
  await using stage = await createStage({ delayMs })
  const dialer = await stage.place('dialer', 'eim-apdf-drop')
  const listener = await stage.place('listener', 'eim-apdf-drop')
  const cast = stage.cast(dialer, listener)
  // the first run is slower: it compiles the code
  await sample(cast, 'warm-up')
  const samples: Sample[] = []
  for (let run = 1; run <= runs; run++) samples.push(await sample(cast, `run-${run}`))
  return samples
}

async function sample(cast: Cast, name: string): Promise<Sample> {
  const { dialer, listener } = cast
  try {
    const { directMs } = await connectAndWatch(cast, name)
    if (directMs === undefined) throw new Error('it stayed relayed')
    const { rttMs: directRttMs } = await dialer.do<{ rttMs: number }>('ping', { name })
    const { rttMs: relayedRttMs } = await dialer.do<{ rttMs: number }>('ping-circuit', { name })
    return { relayedRttMs, directRttMs, directMs }
  } finally {
    await Promise.allSettled([dialer.do('stop', { name }), listener.do('stop', { name })])
  }
}

function row(delayMs: number, samples: readonly Sample[]): string {
  const r = median(samples.map(it => it.relayedRttMs))
  const d = median(samples.map(it => it.directRttMs))
  const times = samples.map(it => it.directMs)
  const t = median(times)
  const budget = r + 3 * d
  const spread = `${t.toFixed(0)} ms (${Math.min(...times).toFixed(0)}-${Math.max(...times).toFixed(0)})`
  return [
    `${delayMs} ms`.padEnd(8),
    `${r.toFixed(1)} ms`.padStart(11),
    `${d.toFixed(1)} ms`.padStart(10),
    spread.padStart(19).padEnd(24),
    `${budget.toFixed(0)} ms`.padStart(8),
    `${(t - budget).toFixed(0)} ms`.padStart(6),
    (t / r).toFixed(1).padStart(6),
    (t / d).toFixed(1).padStart(6),
  ].join(' ')
}
