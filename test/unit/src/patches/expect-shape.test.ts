/**
 * The check that each patch makes before it takes hold of the inside of a library, and the patches of
 * src/transport.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { shapeCheck } from '../../../../src/patches/expect-shape.ts'
import { keepAlive, watchOver } from '../../../../src/transport/keep-alive.ts'
import { refusesWithout } from './upstream-changed.ts'

for (const patch of [keepAlive, watchOver])
  describe(`${patch.name}()`, () => {
    refusesWithout('@libp2p/tcp', { socket: {}, 'socket.setKeepAlive': () => {} }, patch)
  })

describe('a shape', () => {
  it('is looked at once for each class', () => {
    let looked = 0
    class Known {
      get member(): () => void {
        looked++
        return () => {}
      }
    }
    const check = shapeCheck('libp2p', { member: 'function' })
    check(new Known())
    check(new Known())
    assert.equal(looked, 1)
  })

  it('takes null for missing', () => {
    const check = shapeCheck('libp2p', { member: 'object' })
    assert.throws(() => check({ member: null }), { name: 'UpstreamChangedError' })
    check({ member: {} })
  })
})
