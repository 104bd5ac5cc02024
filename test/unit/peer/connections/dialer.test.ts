/** Which ways a dialer leaves out because they lose large packets. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Dialer } from '../../../../peer/connections/dialer.ts'
import { LossyPaths } from '../../../../src/holepunch/paths/lossy-paths.ts'
import type { DialerComponents, DialerInit } from '../../../../peer/connections/dialer.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const LIMIT = { timeout: 10_000 }

const peerId = peerIdFromString('12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw')
const relayId = '12D3KooWHBDPVJw881RgcBz5gVPw4QQ2Fa9YC9gGkCMSgh4c3ijm'
const circuit = multiaddr(`/ip4/11.0.1.1/tcp/1/p2p/${relayId}/p2p-circuit`)

/** A dialer all of whose dials fail, and what it has dialled. */
function setUp(lossy: readonly string[]): { dialer: Dialer; dialled: string[] } {
  const dialled: string[] = []
  const lossyPaths = new LossyPaths()
  for (const addr of lossy) lossyPaths.note(peerId, multiaddr(addr), 'no-full-packet')
  const fail = async (addr: Multiaddr): Promise<never> => {
    dialled.push(addr.toString().split('/p2p/')[0] as string)
    throw new Error('refused')
  }
  const components = {
    peerStore: { get: async () => ({ addresses: [] }) },
    transportManager: { dial: fail },
    connectionManager: { openConnection: fail, getConnections: (): Connection[] => [] },
  } as unknown as DialerComponents
  const init = {
    relays: { relays: [] },
    token: { show: async () => {} },
    lossyPaths,
  } as unknown as DialerInit
  return { dialer: new Dialer(components, init), dialled }
}

async function dial(dialer: Dialer, addrs: Multiaddr[]): Promise<void> {
  await assert.rejects(dialer.connect({ peerId, addrs }))
}

describe('a direct way that loses large packets', () => {
  it('is left out where there is a circuit', LIMIT, async () => {
    const { dialer, dialled } = setUp(['/ip4/127.0.0.1/tcp/9'])
    await dial(dialer, [multiaddr('/ip4/127.0.0.1/tcp/9'), circuit])
    assert.deepEqual(dialled, ['/ip4/11.0.1.1/tcp/1'])
  })

  it('is dialled where there is no other', LIMIT, async () => {
    const { dialer, dialled } = setUp(['/ip4/127.0.0.1/tcp/9'])
    await dial(dialer, [multiaddr('/ip4/127.0.0.1/tcp/9')])
    assert.deepEqual(dialled, ['/ip4/127.0.0.1/tcp/9'])
  })

  it('is left out by name when all addresses of the name are lossy', LIMIT, async () => {
    const { dialer, dialled } = setUp(['/ip4/127.0.0.1/tcp/9', '/ip6/::1/tcp/9'])
    await dial(dialer, [multiaddr('/dns4/localhost/tcp/9'), circuit])
    assert.deepEqual(dialled, ['/ip4/11.0.1.1/tcp/1'])
  })

  it('is dialled by name when one address of the name is not lossy', LIMIT, async () => {
    const { dialer, dialled } = setUp(['/ip4/127.0.0.2/tcp/9'])
    await dial(dialer, [multiaddr('/dns4/localhost/tcp/9'), circuit])
    assert.ok(dialled.includes('/dns4/localhost/tcp/9'))
  })

  it('is left out whatever the port: it is the same way through the network', LIMIT, async () => {
    const { dialer, dialled } = setUp(['/ip4/127.0.0.1/tcp/9'])
    await dial(dialer, [multiaddr('/ip4/127.0.0.1/tcp/10'), circuit])
    assert.deepEqual(dialled, ['/ip4/11.0.1.1/tcp/1'])
  })
})
