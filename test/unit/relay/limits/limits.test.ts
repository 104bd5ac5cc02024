/** Profiles, what replaces single limits of theirs, and how limits are told to peers. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { limitMessageOf } from '../../../../relay/hop/limit-message.ts'
import { limitsOf, profileNames, profiles } from '../../../../relay/limits/limits.ts'
import { only } from '../peers.ts'
import type { Limits } from '../../../../relay/limits/limits.ts'

const names = Object.keys(profiles.private) as Array<keyof Limits>

describe('a profile', () => {
  it('is open unless another is named', () => {
    assert.deepEqual(limitsOf(), profiles.open)
    for (const name of profileNames) assert.deepEqual(limitsOf(name), profiles[name])
  })

  it('has each limit, which is a number above zero', () => {
    for (const profile of profileNames) {
      assert.deepEqual(Object.keys(profiles[profile]).toSorted(), names.toSorted())
      for (const name of names) assert.ok(profiles[profile][name] > 0, `${profile} ${name}`)
    }
  })

  it('for anyone is that of go-libp2p', () => {
    const { circuitBytes, circuitDurationMs, maxCircuitsPerPeer, maxReservationsPerIpv4 } = profiles.public
    assert.deepEqual(
      { circuitBytes, circuitDurationMs, maxCircuitsPerPeer, maxReservationsPerIpv4 },
      {
        circuitBytes: 131_072,
        circuitDurationMs: 120_000,
        maxCircuitsPerPeer: 16,
        maxReservationsPerIpv4: 8,
      },
    )
  })

  it('for anyone bounds all but the rates', () => {
    const unbounded = names.filter(name => !Number.isFinite(profiles.public[name]))
    assert.deepEqual(unbounded, ['circuitBytesPerSecond', 'peerBytesPerSecond', 'totalBytesPerSecond'])
  })

  it('for anyone by default never cuts a circuit, and bounds everything else', () => {
    const unbounded = names.filter(name => !Number.isFinite(profiles.open[name]))
    assert.deepEqual(unbounded, ['circuitBytes', 'circuitDurationMs'])
  })

  it('for those whom the operator knows cuts no circuit', () => {
    const { circuitBytes, circuitDurationMs } = profiles.private
    assert.deepEqual([circuitBytes, circuitDurationMs], [Infinity, Infinity])
  })

  it('of one’s own limits nothing', () => {
    for (const name of names) assert.equal(profiles.custom[name], Infinity, name)
  })
})

describe('a limit that is set by itself', () => {
  for (const name of names)
    it(`replaces that of the profile: ${name}`, () => {
      assert.deepEqual(limitsOf('public', { [name]: 7 }), { ...profiles.public, [name]: 7 })
    })

  it('replaces nothing where it is undefined', () => {
    assert.deepEqual(limitsOf('public', { circuitBytes: undefined }), profiles.public)
  })

  it('may be zero', () => {
    assert.equal(limitsOf('private', { maxReservations: 0 }).maxReservations, 0)
  })

  it('may be none', () => {
    assert.equal(limitsOf('public', { circuitBytes: Infinity }).circuitBytes, Infinity)
  })

  it('leaves the profile as it is, and what is no limit aside', () => {
    const before = { ...profiles.public }
    const limits = limitsOf('public', { maxCircuits: 1, ...({ listen: [] } as object) })
    assert.deepEqual(profiles.public, before)
    assert.deepEqual(Object.keys(limits).toSorted(), names.toSorted())
  })
})

describe('what peers are told of the limits', () => {
  it('is nothing where there are none', () => assert.equal(limitMessageOf(only({})), undefined))

  for (const [circuitDurationMs, duration] of [
    [120_000, 120],
    [1, 1],
    [1000, 1],
    [1001, 2],
    [2 ** 32 * 1000, 2 ** 32 - 1],
    [Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
  ] as const)
    it(`is ${duration} s for ${circuitDurationMs} ms`, () => {
      assert.deepEqual(limitMessageOf(only({ circuitDurationMs })), { duration })
    })

  it('is the bytes each way', () => {
    assert.deepEqual(limitMessageOf(only({ circuitBytes: 131_072 })), { data: 131_072 })
  })

  it('is both where both are limited', () => {
    assert.deepEqual(limitMessageOf(profiles.public), { duration: 120, data: 131_072 })
  })
})
