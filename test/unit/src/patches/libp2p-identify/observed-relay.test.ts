import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { omitRelayAddress } from '../../../../../src/patches/libp2p-identify/observed-relay.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { observedOver } from './observed.ts'

const LIMIT = { timeout: 30_000 }
const PEER = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const RELAY = `/ip4/192.0.2.1/tcp/4001/p2p/${PEER}`
const CIRCUIT = `${RELAY}/p2p-circuit/p2p/${PEER}`

describe('@libp2p/identify', LIMIT, () => {
  it("sends the relay's address over a circuit, which is the fault", async t => {
    assert.equal(await observedOver(t, CIRCUIT, () => {}), CIRCUIT)
  })
})

describe('omitRelayAddress()', LIMIT, () => {
  it('sends no address over a circuit', async t => {
    assert.equal(await observedOver(t, CIRCUIT, omitRelayAddress), undefined)
  })

  it('sends the address of a connection that is no circuit', async t => {
    assert.equal(await observedOver(t, RELAY, omitRelayAddress), RELAY)
  })

  refusesWithout('@libp2p/identify', { handleProtocol: () => {} }, omitRelayAddress)
})
