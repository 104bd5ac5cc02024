/** Which of its own public addresses a peer announces, by what relays see and what came of dialling them. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { OwnAddresses } from '../../../../peer/node/own-addresses.ts'
import type { ComponentLogger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { OwnAddressesComponents, Reach } from '../../../../peer/node/own-addresses.ts'

const v4 = multiaddr('/ip4/11.0.0.1/tcp/4001')
const v6 = multiaddr('/ip6/2a0f:fade::1/tcp/4001')
const lan = multiaddr('/ip4/192.168.1.2/tcp/4001')

/** A peer that listens on these, whose addresses somebody else reaches or not. */
function setUp(reach: Promise<Reach>): { own: OwnAddresses; announced: Set<string>; dialled: string[] } {
  const announced = new Set<string>()
  const dialled: string[] = []
  const components = {
    transportManager: { getAddrs: () => [v4, v6, lan] },
    addressManager: {
      confirmObservedAddr: (addr: Multiaddr) => announced.add(addr.toString()),
      removeObservedAddr: (addr: Multiaddr) => announced.delete(addr.toString()),
    },
    logger: { forComponent: () => () => {} } as unknown as ComponentLogger,
  } as unknown as OwnAddressesComponents
  const dialBack = async (addr: Multiaddr): Promise<Reach> => {
    dialled.push(addr.toString())
    return reach
  }
  return { own: new OwnAddresses(components, dialBack), announced, dialled }
}

describe('own public addresses', () => {
  it('of IPv4 are announced at once, and stay where they are reached', async () => {
    const { promise, resolve } = Promise.withResolvers<Reach>()
    const { own, announced } = setUp(promise)
    const checked = own.check([v4])
    assert.deepEqual([...announced], [v4.toString()])
    resolve('reached')
    await checked
    assert.deepEqual([...announced], [v4.toString()])
  })

  it('of IPv6 are announced only when they have been reached', async () => {
    const { promise, resolve } = Promise.withResolvers<Reach>()
    const { own, announced } = setUp(promise)
    const checked = own.check([v6])
    assert.deepEqual([...announced], [])
    resolve('reached')
    await checked
    assert.deepEqual([...announced], [v6.toString()])
  })

  it('are taken back where somebody dialled in vain', async () => {
    const { own, announced } = setUp(Promise.resolve('unreached'))
    await own.check([v4, v6])
    assert.deepEqual([...announced], [])
  })

  it('of IPv4 stay, and of IPv6 are not announced, where nobody can dial', async () => {
    const { own, announced } = setUp(Promise.resolve('unknown'))
    await own.check([v4, v6])
    assert.deepEqual([...announced], [v4.toString()])
  })

  it('are dialled again only where nobody could, or in another network', async () => {
    const { own, dialled } = setUp(Promise.resolve('unreached'))
    await own.check([v4])
    await own.check([v4])
    assert.equal(dialled.length, 1)
    own.forget()
    await own.check([v4])
    assert.equal(dialled.length, 2)
    const other = setUp(Promise.resolve('unknown'))
    await other.own.check([v4])
    await other.own.check([v4])
    assert.equal(other.dialled.length, 2)
  })

  it('are none where a NAT translates, and private ones are not looked at', async () => {
    const { own, announced, dialled } = setUp(Promise.resolve('reached'))
    await own.check([multiaddr('/ip4/11.0.0.2/tcp/4001'), multiaddr('/ip4/11.0.0.1/tcp/4002'), lan])
    assert.deepEqual([[...announced], dialled], [[], []])
  })
})
