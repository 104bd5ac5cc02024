/** Kinds that measure: every accepted spelling, every refused one, and that printing loses nothing. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Kind } from '../../../../../src/config/kinds/kind.ts'
import { printValue } from '../../../../../src/config/kinds/kind.ts'
import {
  durationKind,
  integerKind,
  longestDurationMs,
  portKind,
  rateKind,
  sizeKind,
} from '../../../../../src/config/kinds/quantities.ts'

const place = { directory: '/', home: '/' }

interface Row {
  kind: Kind<number>
  name: string
  good: Record<string, number>
  bad: Record<string, RegExp>
}

const rows: Row[] = [
  {
    name: 'a duration',
    kind: durationKind,
    good: {
      '10s': 10_000,
      '2m': 120_000,
      '500ms': 500,
      '1h': 3_600_000,
      '1.5h': 5_400_000,
      '1d': 86_400_000,
      '0s': 0,
    },
    bad: {
      '10': /a bare number has no unit, write 10s or 10ms/,
      '1.5': /write 1\.5s or 1\.5ms/,
      '-5': /bare number/,
      '-5s': /one of ms, s, m, h, d/,
      '10 s': /one of/,
      '1y': /one of/,
      '10S': /one of/,
      '1s1s': /one of/,
      ten: /one of/,
      '25d': /24 days/,
      '999999999999999999999999h': /24 days/,
    },
  },
  {
    name: 'a size',
    kind: sizeKind,
    good: {
      '128KiB': 131_072,
      '1MiB': 1_048_576,
      '10MB': 10_000_000,
      '5kB': 5000,
      '5KB': 5000,
      '1.5KiB': 1536,
      '2GiB': 2 ** 31,
      '1TB': 10 ** 12,
      '7B': 7,
    },
    bad: {
      '1024': /a bare number has no unit, write 1024KiB or 1024MiB/,
      '1Mb': /one of B, KiB/,
      '1mib': /one of/,
      '1K': /one of/,
      '-1KiB': /one of/,
      '1 KiB': /one of/,
      '99999999TiB': /too large/,
    },
  },
  {
    name: 'a rate',
    kind: rateKind,
    good: { '1MiB/s': 1_048_576, '10kB/s': 10_000 },
    bad: { '1MiB': /a size and \/s/, '10': /write 10KiB\/s/, '1MiB/m': /\/s/, '10/s': /no unit/ },
  },
  {
    name: 'a whole number',
    kind: integerKind,
    good: { '0': 0, '8': 8, '-3': -3, '007': 7 },
    bad: {
      '1.5': /digits only/,
      '1e3': /digits/,
      '0x10': /digits/,
      '+1': /digits/,
      '9007199254740993': /too large/,
    },
  },
  {
    name: 'a port',
    kind: portKind,
    good: { '0': 0, '4001': 4001, '65535': 65_535 },
    bad: {
      '65536': /from 0 to 65535/,
      '-1': /from 0/,
      http: /from 0/,
      '80.0': /from 0/,
      '100000000': /from 0/,
    },
  },
]

for (const { name, kind, good, bad } of rows) {
  describe(name, () => {
    for (const [text, value] of Object.entries(good)) {
      test(`${text} is ${value}`, () => assert.equal(kind.parse(text, place), value))
    }
    for (const [text, message] of Object.entries(bad)) {
      test(`${text} is refused`, () => assert.throws(() => kind.parse(text, place), { message }))
    }
    test('its own example is good', () => assert.doesNotThrow(() => kind.parse(kind.example, place)))
  })
}

test('what is printed parses to the same amount', () => {
  for (const kind of [durationKind, sizeKind, rateKind]) {
    for (let step = 0; step < 2000; step += 1) {
      const amount =
        step < 50
          ? step
          : (step * 7919 * (step % 13 === 0 ? 1000 : 1) * (step % 7 === 0 ? 1024 : 1)) % longestDurationMs
      assert.equal(kind.parse(printValue(kind, amount), place), amount, printValue(kind, amount))
    }
  }
})

test('amounts are printed in the largest exact unit', () => {
  assert.equal(printValue(durationKind, 90_000), '90s')
  assert.equal(printValue(durationKind, 0), '0ms')
  assert.equal(printValue(sizeKind, 131_072), '128KiB')
  assert.equal(printValue(sizeKind, 10_000_000), '10MB')
  assert.equal(printValue(rateKind, 1_048_576), '1MiB/s')
})
