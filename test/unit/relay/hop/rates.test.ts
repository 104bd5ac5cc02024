/** Which buckets a circuit draws on, and when those of its peers are forgotten; and requests a second from one network. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { Rates } from '../../../../relay/hop/rates.ts'
import { RequestRates } from '../../../../src/limits/request-rates.ts'
import { only, peer } from '../peers.ts'
import { stoppedClock } from '../stopped-clock.ts'
import type { TokenBucket } from '../../../../src/limits/token-bucket.ts'
import type { LimitOverrides } from '../../../../relay/limits/limits.ts'

const ratesOf = (limits: LimitOverrides): Rates => new Rates(only(limits))
const ends = (initiator: number, responder: number): Parameters<Rates['ofCircuit']>[0] => ({
  initiator: peer(initiator),
  responder: peer(responder),
})

/** How long the slowest of the buckets asks to wait. */
const wait = (buckets: readonly TokenBucket[], bytes: number): number =>
  Math.max(...buckets.map(bucket => bucket.take(bytes)))

describe('a circuit draws on', () => {
  it('no bucket where nothing is limited', () => {
    const rates = ratesOf({})
    assert.deepEqual(rates.ofCircuit(ends(0, 1)).buckets, [])
    assert.equal(rates.size, 0)
  })

  it('a bucket of its own', t => {
    stoppedClock(t)
    const rates = ratesOf({ circuitBytesPerSecond: 1000 })
    const [one, other] = [rates.ofCircuit(ends(0, 1)), rates.ofCircuit(ends(0, 1))]
    assert.equal(wait(one.buckets, 2000), 1000)
    assert.equal(wait(other.buckets, 1000), 0)
  })

  it('the bucket of the relay, which it shares with all', t => {
    stoppedClock(t)
    const rates = ratesOf({ totalBytesPerSecond: 1000 })
    const [one, other] = [rates.ofCircuit(ends(0, 1)), rates.ofCircuit(ends(2, 3))]
    assert.equal(wait(one.buckets, 1000), 0)
    assert.equal(wait(other.buckets, 500), 500)
  })

  it('the buckets of both its peers, whichever end they are', t => {
    stoppedClock(t)
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const one = rates.ofCircuit(ends(0, 1))
    assert.equal(one.buckets.length, 2)
    assert.equal(wait(one.buckets, 1000), 0)
    assert.equal(wait(rates.ofCircuit(ends(2, 0)).buckets, 500), 500)
    assert.equal(wait(rates.ofCircuit(ends(1, 3)).buckets, 300), 300)
    assert.equal(wait(rates.ofCircuit(ends(4, 5)).buckets, 1000), 0)
  })

  it('one bucket of a peer that talks to itself', () => {
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const own = rates.ofCircuit(ends(0, 0))
    assert.deepEqual([own.buckets.length, rates.size], [1, 1])
    own.release()
  })
})

describe('the bucket of a peer', () => {
  it('is kept until it is full again, so that a new circuit does not begin with a full one', t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const clock = stoppedClock(t)
    const pass = (ms: number): void => {
      clock.advance(ms)
      t.mock.timers.tick(ms)
    }
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const first = rates.ofCircuit(ends(0, 1))
    wait(first.buckets, 3000)
    first.release()
    pass(2500)
    assert.equal(rates.size, 2)
    const second = rates.ofCircuit(ends(0, 1))
    assert.equal(wait(second.buckets, 1000), 500)
    second.release()
    pass(1499)
    assert.equal(rates.size, 2)
    pass(1)
    assert.equal(rates.size, 0)
  })

  it('is kept while one of its circuits is open', t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const [one, other] = [rates.ofCircuit(ends(0, 1)), rates.ofCircuit(ends(0, 2))]
    one.release()
    t.mock.timers.tick(10_000)
    assert.equal(rates.size, 2)
    other.release()
    t.mock.timers.tick(10_000)
    assert.equal(rates.size, 0)
  })

  it('is not forgotten by a timer of an earlier circuit', t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const clock = stoppedClock(t)
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const first = rates.ofCircuit(ends(0, 1))
    wait(first.buckets, 1500)
    first.release()
    const second = rates.ofCircuit(ends(0, 1))
    clock.advance(5000)
    t.mock.timers.tick(5000)
    assert.equal(rates.size, 2)
    wait(second.buckets, 1500)
    assert.equal(wait(rates.ofCircuit(ends(0, 1)).buckets, 0), 500)
  })

  it('is forgotten with all others when the relay stops', t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const rates = ratesOf({ peerBytesPerSecond: 1000 })
    const circuits = [rates.ofCircuit(ends(0, 1)), rates.ofCircuit(ends(2, 3))]
    circuits[0]?.release()
    rates.clear()
    assert.equal(rates.size, 0)
    circuits[1]?.release()
    assert.equal(rates.size, 0)
  })
})

describe('requests of one network', () => {
  const addr = (ip: string, port = 1): ReturnType<typeof multiaddr> => multiaddr(`/ip4/${ip}/tcp/${port}`)

  it('are as many a second as may be, whatever port and peer they come from', t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
    const rates = new RequestRates(2)
    assert.deepEqual(
      [1, 2, 3].map(port => rates.allow(addr('192.0.2.1', port))),
      [true, true, false],
    )
    assert.ok(rates.allow(addr('192.0.2.2')))
    t.mock.timers.tick(1000)
    assert.deepEqual(
      [1, 2, 3].map(port => rates.allow(addr('192.0.2.1', port))),
      [true, true, false],
    )
  })

  it('count as the same where it is written as IPv6', () => {
    const rates = new RequestRates(1)
    assert.ok(rates.allow(addr('192.0.2.1')))
    assert.ok(!rates.allow(multiaddr('/ip6/::ffff:192.0.2.1/tcp/1')))
    assert.ok(!rates.allow(multiaddr('/ip6/::ffff:c000:201/tcp/1')))
  })

  it('count as the same within one /56 of IPv6, and not beyond', () => {
    const rates = new RequestRates(1)
    assert.ok(rates.allow(multiaddr('/ip6/2001:db8:0:100::1/tcp/1')))
    assert.ok(!rates.allow(multiaddr('/ip6/2001:db8:0:1ff:1::2/tcp/1')))
    assert.ok(rates.allow(multiaddr('/ip6/2001:db8:0:200::1/tcp/1')))
  })

  it('are all allowed where nothing is limited', () => {
    const rates = new RequestRates(Infinity)
    for (let n = 0; n < 10_000; n++) assert.ok(rates.allow(addr('192.0.2.1')))
  })
})
