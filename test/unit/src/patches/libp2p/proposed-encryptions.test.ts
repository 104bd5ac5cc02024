import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { tls } from '@libp2p/tls'
import { choosesProposals } from '../../../../../src/patches/libp2p/proposed-encryptions.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { startNode } from './node.ts'
import type { Upgrader } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

describe('libp2p', LIMIT, () => {
  it('proposes the encryptions of the node in their order, which is the fault', async t => {
    assert.equal(await agreedBy(t, ['/tls/1.0.0'], () => {}), '/noise')
  })
})

describe('choosesProposals()', LIMIT, () => {
  it('has a dial propose what it chooses, in its order', async t => {
    assert.equal(await agreedBy(t, ['/tls/1.0.0'], choosesProposals), '/tls/1.0.0')
    assert.equal(await agreedBy(t, ['/tls/1.0.0', '/noise'], choosesProposals), '/tls/1.0.0')
    assert.equal(await agreedBy(t, ['/unknown', '/noise'], choosesProposals), '/noise')
  })

  it('leaves a dial alone that chooses nothing', async t => {
    assert.equal(await agreedBy(t, undefined, choosesProposals), '/noise')
  })

  it('patches an upgrader once', () => {
    const upgrader = { connectionEncrypters: new Map(), _encryptOutbound: () => {} } as unknown as Upgrader
    choosesProposals(upgrader)
    const { _encryptOutbound: patched } = upgrader as unknown as Record<string, unknown>
    choosesProposals(upgrader)
    assert.equal((upgrader as unknown as Record<string, unknown>)['_encryptOutbound'], patched)
  })

  refusesWithout('libp2p', { connectionEncrypters: new Map(), _encryptOutbound: () => {} }, choosesProposals)
})

/** What two nodes with Noise and TLS agree on when one chooses these proposals. */
async function agreedBy(
  t: TestContext,
  encryptions: readonly string[] | undefined,
  patch: (upgrader: Upgrader) => void,
): Promise<string | undefined> {
  const both = { connectionEncrypters: [noise(), tls()] }
  const { node: remote } = await startNode(t, () => {}, both)
  const { node } = await startNode(
    t,
    components => {
      const { upgrader } = components as unknown as { upgrader: Upgrader }
      patch(upgrader)
      const upgradeOutbound = upgrader.upgradeOutbound.bind(upgrader)
      upgrader.upgradeOutbound = async (socket, options) =>
        upgradeOutbound(socket, { ...(options as object), ...(encryptions && { encryptions }) } as never)
    },
    both,
  )
  const { encryption } = await node.dial(remote.getMultiaddrs())
  return encryption
}
