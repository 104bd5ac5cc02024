/** The fuzzer finds what it looks for. */

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { hostileVarint, mutated } from '../../fuzz/frames.ts'
import { InputChecker, UnhandledErrors } from '../../fuzz/properties.ts'
import { allow, textInput } from '../../fuzz/surface.ts'
import type { Feed } from '../../fuzz/surface.ts'

const HONEST = [textInput('honest')]

/** Keeps the processor busy. */
function spend(ms: number): void {
  const { user } = process.cpuUsage()
  while (process.cpuUsage().user - user < ms * 1000) {
    // busy
  }
}

async function check(feed: Feed): Promise<void> {
  const unhandled = new UnhandledErrors()
  after(() => unhandled.stop())
  const checker = await InputChecker.create(feed, HONEST, unhandled)
  await checker.check(textInput('hostile'))
}

const isHonest = ([piece]: Parameters<Feed>[0]): boolean =>
  Buffer.from(piece ?? []).equals(HONEST[0]![0] as Buffer)

test('an input that costs no more than honest ones passes', async () => {
  await check(() => spend(1))
})

test('an input that costs too much each time fails', async () => {
  await assert.rejects(
    check(input => {
      if (!isHonest(input)) spend(400)
    }),
    { name: 'SlowInputError', message: /^7 bytes cost \d+ ms/ },
  )
})

test('an input that costs much once passes: garbage was collected, or code compiled', async () => {
  let times = 0
  await check(input => {
    if (!isHonest(input) && times++ === 0) spend(300)
  })
  assert.equal(times, 2)
})

test('an error that is not among the allowed ones fails, and so does one that wrong code throws', async () => {
  const fail = (error: Error) => (): never => {
    throw error
  }
  allow(['RangeError'], fail(new RangeError('out of range')))
  assert.throws(() => allow(['RangeError'], fail(new TypeError('wrong type'))), /wrong type/)
  for (const message of [
    "Cannot read properties of undefined (reading 'x')",
    'x is not a function',
    'Maximum call stack size exceeded',
  ])
    assert.throws(() => allow(['TypeError'], fail(new TypeError(message))), { message })
})

test('the same seed makes the same inputs', () => {
  const frames = mutated([Buffer.from('frame')])
  const sample = (seed: number): string[] =>
    fc.sample(frames, { seed, numRuns: 200 }).map(it => it.toString('hex'))
  assert.deepEqual(sample(7), sample(7))
  assert.notDeepEqual(sample(7), sample(8))
})

test('lengths without an end are among the inputs, those of eight high bytes and others after them too', () => {
  const lengths = fc.sample(hostileVarint, { seed: 1, numRuns: 2_000 })
  assert.ok(
    lengths.some(it => it.byteLength > 300 && it.subarray(0, 8).every(byte => byte === 0x80) && it[9] === 0),
  )
})
