/** The next step after each reason for which an attempt has failed. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HolePunchFailedError, holePunchAdvice } from '../../../../src/errors.ts'
import {
  isFinal,
  isHopeless,
  isNotSupported,
  isWorthRetrying,
  needsReversal,
} from '../../../../src/holepunch/failures.ts'
import type { HolePunchFailure } from '../../../../src/errors.ts'

const reasons = Object.keys(holePunchAdvice) as HolePunchFailure[]
const where = (holds: (error: Error) => boolean): HolePunchFailure[] =>
  reasons.filter(reason => holds(new HolePunchFailedError(reason, '12D3KooWPeer'))).toSorted()

describe('after a failed attempt', () => {
  it('another attempt follows where timing may have been at fault', () => {
    assert.deepEqual(where(isWorthRetrying), ['protocol', 'refused', 'timed-out'])
  })

  it('a reversal follows where the two did not get as far as to punch', () => {
    assert.deepEqual(where(needsReversal), ['no-local-candidates', 'no-remote-candidates', 'not-supported'])
    assert.deepEqual(where(isNotSupported), ['not-supported'])
  })

  it('the remote is not waited for where more time has to pass', () => {
    assert.deepEqual(where(isHopeless), ['lossy-path', 'throttled'])
  })

  it('no later upgrade follows where nothing changes by itself', () => {
    assert.deepEqual(reasons.filter(isFinal).toSorted(), ['cannot-share-port', 'stopped'])
  })

  for (const error of [new Error('x'), new DOMException('x', 'AbortError'), undefined])
    it(`without a reason (${error?.name}), only another attempt follows`, () => {
      assert.equal(isWorthRetrying(error), true)
      for (const holds of [needsReversal, isNotSupported, isHopeless]) assert.equal(holds(error), false)
    })
})
