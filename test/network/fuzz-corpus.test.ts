/** Inputs that once found a fault find none any more. `npm run fuzz` adds to them; see test/fuzz/corpus. */

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { keptInputs } from '../fuzz/corpus.ts'
import { replayEntry } from '../fuzz/run.ts'
import { surfaces } from '../fuzz/surfaces/index.ts'

const LIMIT = { timeout: 110_000 }

describe('inputs that once found a fault are withstood by', () => {
  for (const surface of surfaces)
    for (const entry of surface.entries) {
      if (keptInputs(surface.name, entry.name).length === 0) continue
      it(`${surface.name}/${entry.name}`, LIMIT, async () => {
        assert.deepEqual(await replayEntry(surface, entry), [])
      })
    }
})

it('each kept input belongs to an entry', () => {
  const known = surfaces.flatMap(({ name, entries }) => entries.map(it => `${name}/${it.name}`))
  const corpus = new URL('../fuzz/corpus/', import.meta.url)
  const kept = readdirSync(corpus).flatMap(name =>
    readdirSync(new URL(`${name}/`, corpus)).map(it => `${name}/${it}`),
  )
  assert.deepEqual(
    kept.filter(it => !known.includes(it)),
    [],
  )
})
