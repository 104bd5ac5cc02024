/** Which direct paths are remembered as lossy, and for how long. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { LossyPaths } from '../../../../../src/holepunch/paths/lossy-paths.ts'

const PEER = peerIdFromString('12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw')
const OTHER = peerIdFromString('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N')
const ADDR = multiaddr('/ip4/11.0.0.1/tcp/4001')
const S = 1_000
const MIN = 60 * S

function setUp(): { paths: LossyPaths; pass: (ms: number) => void } {
  let now = 0
  return { paths: new LossyPaths(() => now), pass: ms => void (now += ms) }
}

describe('a lossy path', () => {
  it('is not used for 30 s at first, twice as long each time, one hour at most', () => {
    const { paths, pass } = setUp()
    const pauses = Array.from({ length: 9 }, () => {
      paths.note(PEER, ADDR, 'no-full-packet')
      const pauseMs = paths.remainingMs(PEER, ADDR)
      pass(pauseMs - 1)
      assert.equal(paths.has(PEER, ADDR), true)
      pass(1)
      assert.equal(paths.has(PEER, ADDR), false)
      return pauseMs / S
    })
    assert.deepEqual(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
  })

  it('is that of one peer at one host, whatever the port', () => {
    const { paths } = setUp()
    paths.note(PEER, ADDR, 'no-full-packet')
    assert.equal(paths.has(PEER, multiaddr('/ip4/11.0.0.1/tcp/9')), true)
    assert.equal(paths.has(PEER, multiaddr('/ip4/11.0.0.2/tcp/4001')), false)
    assert.equal(paths.has(PEER, multiaddr('/ip6/2001:db8::1/tcp/4001')), false)
    assert.equal(paths.has(OTHER, ADDR), false)
  })

  it('that fails again during its pause is not paused longer', () => {
    const { paths, pass } = setUp()
    paths.note(PEER, ADDR, 'no-full-packet')
    pass(10 * S)
    paths.note(PEER, ADDR, 'unacknowledged')
    assert.equal(paths.remainingMs(PEER, ADDR), 20 * S)
  })

  for (const evidence of ['unacknowledged', 'reset'] as const)
    it(`is known by a second death (${evidence}) within 10 min, and not by one`, () => {
      const { paths, pass } = setUp()
      paths.note(PEER, ADDR, evidence)
      assert.equal(paths.has(PEER, ADDR), false)
      pass(11 * MIN)
      paths.note(PEER, ADDR, evidence)
      assert.equal(paths.has(PEER, ADDR), false)
      pass(9 * MIN)
      paths.note(PEER, ADDR, evidence)
      assert.equal(paths.has(PEER, ADDR), true)
    })

  it('is not known by two connections that die of one cause', () => {
    const { paths, pass } = setUp()
    paths.note(PEER, ADDR, 'unacknowledged')
    pass(1 * S)
    paths.note(PEER, ADDR, 'reset')
    assert.equal(paths.has(PEER, ADDR), false)
  })

  it('begins again at 30 s after an hour of peace', () => {
    const { paths, pass } = setUp()
    for (let n = 0; n < 3; n++) {
      paths.note(PEER, ADDR, 'no-full-packet')
      pass(paths.remainingMs(PEER, ADDR))
    }
    pass(61 * MIN)
    paths.note(PEER, ADDR, 'no-full-packet')
    assert.equal(paths.remainingMs(PEER, ADDR), 30 * S)
  })

  for (const evidence of ['unacknowledged', 'reset'] as const)
    it(`that died (${evidence}) is forgotten when the remote peer has moved to another address`, () => {
      const { paths, pass } = setUp()
      const NEW = multiaddr('/ip4/11.0.0.2/tcp/4001')
      for (let n = 0; n < 2; n++) {
        pass(MIN)
        paths.note(PEER, ADDR, evidence)
      }
      paths.remoteOffers(PEER, [NEW, multiaddr('/ip4/11.0.0.1/tcp/9')])
      assert.equal(paths.has(PEER, ADDR), true, 'the remote is still there, at another port')
      paths.remoteOffers(OTHER, [NEW])
      paths.remoteOffers(PEER, [multiaddr('/memory/1'), multiaddr(`/p2p/${OTHER}/p2p-circuit`)])
      assert.equal(paths.has(PEER, ADDR), true, 'another remote, or one that offers nothing to dial')
      paths.remoteOffers(PEER, [NEW])
      assert.equal(paths.has(PEER, ADDR), false)
    })

  it('on which no full packet got through is remembered when the remote peer moves', () => {
    const { paths, pass } = setUp()
    paths.note(PEER, ADDR, 'no-full-packet')
    pass(30 * S)
    paths.note(PEER, ADDR, 'no-full-packet')
    paths.remoteOffers(PEER, [multiaddr('/ip4/11.0.0.2/tcp/4001')])
    assert.equal(paths.remainingMs(PEER, ADDR), 60 * S)
  })

  it('is forgotten when the network changes, and when 1,024 others have failed since', () => {
    const { paths } = setUp()
    paths.note(PEER, ADDR, 'no-full-packet')
    paths.clear()
    assert.equal(paths.has(PEER, ADDR), false)
    paths.note(PEER, ADDR, 'no-full-packet')
    for (let n = 0; n < 1_024; n++)
      paths.note(OTHER, multiaddr(`/ip4/10.0.${n >> 8}.${n & 255}/tcp/1`), 'no-full-packet')
    assert.equal(paths.has(PEER, ADDR), false)
  })
})
