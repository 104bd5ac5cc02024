import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { PublicAddresses } from '../../../../../src/patches/libp2p/unverified-addresses.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { startNode } from './node.ts'
import type { TestContext } from 'node:test'
import type { Node } from './node.ts'

const LIMIT = { timeout: 30_000 }
const PUBLIC = '/ip4/11.0.0.1/tcp/4001'
const PRIVATE = '/ip4/10.0.0.1/tcp/4001'

describe('libp2p', LIMIT, () => {
  it('does not announce a public address of an interface, which is the fault', async t => {
    const { node } = await listening(t, [PUBLIC, PRIVATE])
    assert.deepEqual(node.getMultiaddrs().map(String), [`${PRIVATE}/p2p/${node.peerId}`])
  })
})

describe('PublicAddresses', LIMIT, () => {
  it('announces it, beside the private ones', async t => {
    const { node, components } = await listening(t, [PRIVATE, PUBLIC])
    const addresses = new PublicAddresses(components)
    addresses.vouch()
    const expected = [PUBLIC, PRIVATE].map(addr => `${addr}/p2p/${node.peerId}`)
    assert.deepEqual(addresses.list().map(String).toSorted(), expected.toSorted())
    assert.deepEqual(node.getMultiaddrs().map(String).toSorted(), expected.toSorted())
  })

  const manager = { confirmObservedAddr: () => {}, getAddresses: () => [] }
  const transports = { getAddrs: () => [] }
  refusesWithout(
    'libp2p',
    manager,
    addressManager => new PublicAddresses({ addressManager, transportManager: transports as never }),
  )
  refusesWithout(
    'libp2p',
    transports,
    transportManager => new PublicAddresses({ addressManager: manager as never, transportManager }),
  )
})

/** A node that listens on these addresses. */
async function listening(t: TestContext, addrs: readonly string[]): Promise<Node> {
  const started = await startNode(t)
  started.components.transportManager.getAddrs = () => addrs.map(addr => multiaddr(addr))
  return started
}
