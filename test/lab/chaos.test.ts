/** One fault of each kind that a network, a disk or a machine has, one after the other. `npm run bench:chaos` is the long form. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { faultKinds } from './chaos/faults.ts'
import { memoryGrowth } from './chaos/memory.ts'
import { soak } from './chaos/soak.ts'
import { createWorld } from './chaos/world.ts'

const SOAK = { durationMs: 1, everyMs: 1, seed: 1 }

it('a forwarded service works within 15 s of each fault, and transfers end whole', {
  timeout: 360_000,
}, async t => {
  await using world = await createWorld()
  const results = await soak(world, { ...SOAK, log: line => t.diagnostic(line) })
  assert.deepEqual(
    results.flatMap(({ kind, failures }) => failures.map(it => `${kind}: ${it}`)),
    [],
  )
  assert.deepEqual(results.map(({ kind }) => kind).toSorted(), faultKinds.toSorted())
  for (const growth of memoryGrowth(results)) assert.ok(growth.isLevel, JSON.stringify(growth))
})
