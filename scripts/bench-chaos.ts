/**
 * A soak with faults: `npm run bench:chaos`. In the NAT lab, relays restart and move, peers change networks, packets get lost, disks fill up. Prints how
 * soon a new forwarded connection works after each kind of fault. Ends with 1 if one does not work within 15 s, or if memory grows.
 *
 * Needs Linux and root.
 */

import { parseArgs } from 'node:util'
import { faultKinds } from '../test/lab/chaos/faults.ts'
import { memoryGrowth } from '../test/lab/chaos/memory.ts'
import { soak } from '../test/lab/chaos/soak.ts'
import { createWorld } from '../test/lab/chaos/world.ts'
import { circumstances, median, table } from './bench/stats.ts'
import type { FaultKind } from '../test/lab/chaos/faults.ts'
import type { FaultResult } from '../test/lab/chaos/soak.ts'

const { values } = parseArgs({
  options: {
    /** How long faults come, in minutes. */
    minutes: { type: 'string', default: '30' },
    /** From one fault to the next, in seconds. */
    every: { type: 'string', default: '10s' },
    /** The order of the faults and their details. */
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Some of the kinds only, separated by commas. */
    kinds: { type: 'string', default: faultKinds.join(',') },
  },
})
const durationMs = 60_000 * positive('minutes', values.minutes)
const everyMs = 1_000 * positive('every', values.every.replace(/s$/, ''))
const seed = positive('seed', values.seed)
const kinds = values.kinds.split(',') as FaultKind[]
const unknown = kinds.filter(kind => !faultKinds.includes(kind))
if (unknown.length > 0) fail(`There is no fault ${unknown.join(', ')}. There are ${faultKinds.join(', ')}.`)

console.error(JSON.stringify(await circumstances()))
console.error(`seed ${seed}`)

// before those of the lab: `exit` removes the disk and the namespaces
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

let results: FaultResult[]
{
  await using world = await createWorld()
  results = await soak(world, { durationMs, everyMs, seed, kinds, log: line => console.error(line) })
}
const memory = memoryGrowth(results)
print()
process.exit(memory.every(it => it.isLevel) && results.every(it => it.failures.length === 0) ? 0 : 1)

function print(): void {
  const head = [
    'fault',
    'count',
    'works after, median',
    'max',
    'reserved after, max',
    'path afterwards',
    'failures',
  ]
  const rows = kinds.map(kind => {
    const those = results.filter(it => it.kind === kind)
    const times = those.flatMap(({ worksAfterMs }) => worksAfterMs ?? [])
    const reserved = Math.max(...those.flatMap(({ reservedAfterMs }) => reservedAfterMs ?? []))
    const failures = those.filter(it => it.failures.length > 0).length
    return [
      kind,
      those.length,
      ms(median(times)),
      ms(Math.max(...times)),
      ms(reserved),
      paths(those),
      failures,
    ].map(String)
  })
  for (const line of table(head, rows)) console.log(line)
  for (const { program, beforeBytes, afterBytes, isLevel } of memory) {
    const verdict = isLevel ? 'level' : 'NOT LEVEL'
    console.log(
      `resident memory of ${program}: ${mib(beforeBytes)} in the first third, ${mib(afterBytes)} in the last, ${verdict}`,
    )
  }
  for (const { kind, failures } of results) for (const failure of failures) console.log(`${kind}: ${failure}`)
}

function paths(those: readonly FaultResult[]): string {
  const counts = Map.groupBy(those, ({ path }) => path)
  return [...counts].map(([path, all]) => `${path} ${all.length}`).join(', ')
}

function ms(value: number): string {
  return Number.isFinite(value) ? `${Math.round(value)} ms` : ''
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) fail(`--${name} takes a positive number, not ${text}.`)
  return value
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
