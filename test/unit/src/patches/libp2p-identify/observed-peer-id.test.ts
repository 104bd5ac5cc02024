import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { omitPeerId } from '../../../../../src/patches/libp2p-identify/observed-peer-id.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { observedOver } from './observed.ts'

const LIMIT = { timeout: 30_000 }
const PEER = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const ADDR = '/ip4/192.0.2.1/tcp/4001'

describe('@libp2p/identify', LIMIT, () => {
  it('sends a remote its address with a peer id, which is the fault', async t => {
    assert.equal(await observedOver(t, `${ADDR}/p2p/${PEER}`, () => {}), `${ADDR}/p2p/${PEER}`)
  })
})

describe('omitPeerId()', LIMIT, () => {
  for (const addr of [ADDR, `${ADDR}/p2p/${PEER}`])
    it(`makes of ${addr} an address without a peer id`, async t => {
      assert.equal(await observedOver(t, addr, omitPeerId), ADDR)
    })

  refusesWithout('@libp2p/identify', { handleProtocol: () => {} }, omitPeerId)
})
