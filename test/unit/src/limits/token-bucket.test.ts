/** Token buckets: they slow down, and never say no. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TokenBucket } from '../../../../src/limits/token-bucket.ts'
import { stoppedClock } from '../../relay/stopped-clock.ts'

const bucketOf = (perSecond: number): TokenBucket => new TokenBucket({ capacity: perSecond, perSecond })

describe('a bucket', () => {
  it('lets what flows in one second pass at once', t => {
    stoppedClock(t)
    const bucket = bucketOf(1000)
    assert.equal(bucket.take(400), 0)
    assert.equal(bucket.take(600), 0)
    assert.equal(bucket.take(1), 1)
  })

  it('asks to wait until the debt is paid, at its rate', t => {
    const clock = stoppedClock(t)
    const bucket = bucketOf(1000)
    assert.equal(bucket.take(3000), 2000)
    clock.advance(500)
    assert.equal(bucket.take(0), 1500)
    clock.advance(1500)
    assert.equal(bucket.take(0), 0)
    assert.equal(bucket.take(10), 10)
  })

  it('takes any number of bytes, however deep in debt it is', t => {
    stoppedClock(t)
    const bucket = bucketOf(1000)
    bucket.take(1000)
    for (let n = 1; n <= 100; n++) assert.equal(bucket.take(1e6), n * 1e6)
  })

  it('holds no more than one second of its rate, however long it rests', t => {
    const clock = stoppedClock(t)
    const bucket = bucketOf(1000)
    clock.advance(3_600_000)
    assert.equal(bucket.take(1500), 500)
  })

  it('lets pass at its rate in the long run', t => {
    const clock = stoppedClock(t)
    const bucket = bucketOf(50_000)
    let bytes = 0
    const startedAt = performance.now()
    for (let n = 0; n < 1000; n++) {
      const size = ((n * 7919) % 65_536) + 1
      bytes += size
      clock.advance(bucket.take(size))
    }
    const seconds = (performance.now() - startedAt) / 1000
    // the first second's worth was in it
    assert.ok(
      Math.abs(seconds - (bytes - 50_000) / 50_000) < 1e-6 * seconds,
      `${bytes} bytes in ${seconds} s`,
    )
  })

  it('takes back what was not needed, and never has more than its capacity', t => {
    stoppedClock(t)
    const bucket = bucketOf(1000)
    bucket.take(1500)
    bucket.refund(200)
    assert.equal(bucket.waitMs(0), 300)
    bucket.refund(1e6)
    assert.equal(bucket.take(1001), 1)
  })

  it('tells when it is full again', t => {
    const clock = stoppedClock(t)
    const bucket = bucketOf(1000)
    assert.equal(bucket.waitMs(), 0)
    bucket.take(250)
    assert.equal(bucket.waitMs(), 250)
    clock.advance(100)
    assert.equal(bucket.waitMs(), 150)
    assert.equal(bucket.waitMs(750), 0)
    clock.advance(150)
    assert.equal(bucket.waitMs(), 0)
  })
})
