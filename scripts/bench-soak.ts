/**
 * Whether the relay's memory stays where it is: `npm run bench:soak`. Opens and closes circuits by the hundred thousand, between peers that come
 * and go, and prints the relay's heap after each batch, when garbage has been collected.
 */

import { parseArgs } from 'node:util'
import { Child } from './bench/child.ts'
import { circumstances, median, table } from './bench/stats.ts'
import type { Usage } from './bench/usage.ts'

const MIB = 1024 * 1024

/** Pairs of peers at a time. */
const PAIRS = 20

/** How long one batch may take, in milliseconds. */
const BATCH_TIMEOUT_MS = 300_000

const { values } = parseArgs({
  options: {
    circuits: { type: 'string', default: '100000' },
    batches: { type: 'string', default: '20' },
  },
})
const batches = Number(values.batches)
const circuitsEach = Math.ceil(Number(values.circuits) / batches / PAIRS)

const relay = new Child('relay-child', { kind: 'ours' }, ['--expose-gc'])
const peers = new Child('circuit-churn')
const { addr } = await relay.do<{ addr: string }>('start')
const startedAt = performance.now()
const usages: Usage[] = []
console.error(JSON.stringify(await circumstances()))
for (let batch = 1; batch <= batches; batch++) {
  await peers.do('churn', { relayAddr: addr, pairs: PAIRS, circuitsEach }, BATCH_TIMEOUT_MS)
  usages.push(await relay.do<Usage>('settledUsage'))
  const { heapUsedBytes, rssBytes } = usages.at(-1)!
  console.error(
    `${batch * PAIRS * circuitsEach} circuits: heap ${mib(heapUsedBytes)}, resident ${mib(rssBytes)}`,
  )
}

const [early, late] = [usages.slice(1, 1 + Math.ceil(batches / 4)), usages.slice(-Math.ceil(batches / 4))]
const row = (name: string, of: (usage: Usage) => number): string[] => {
  const [before, after] = [median(early.map(of)), median(late.map(of))]
  return [name, mib(before), mib(after), (after / before).toFixed(3)]
}
const lines = table(
  ['relay', 'first quarter', 'last quarter', 'ratio'],
  [
    row('heap', it => it.heapUsedBytes),
    row('external', it => it.externalBytes),
    row('resident', it => it.rssBytes),
  ],
)
const seconds = (performance.now() - startedAt) / 1000
console.log(`${batches * PAIRS * circuitsEach} circuits in ${seconds.toFixed(0)} s`)
for (const line of lines) console.log(line)
process.exit()

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}
