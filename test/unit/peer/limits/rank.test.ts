/** The ranks of remote peers. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isInUse, Ranks } from '../../../../peer/limits/rank.ts'
import { TUNNEL_PROTOCOL } from '../../../../peer/tunnel/wire/protocol.ts'
import type { Connection } from '@libp2p/interface'
import type { RanksInit } from '../../../../peer/limits/rank.ts'

const DIRECT = '/ip4/192.0.2.1/tcp/1'
const CIRCUIT = `${DIRECT}/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw/p2p-circuit`

function createRanks(init: Partial<RanksInit> = {}): Ranks {
  const none = (): boolean => false
  return new Ranks({ rankOf: undefined, isRelay: none, isChosen: none, isUpgradedFor: none, ...init })
}

const carrying = (...protocols: string[]): Pick<Connection, 'streams'> =>
  ({ streams: protocols.map(protocol => ({ protocol })) }) as never

const dialled = (direction: 'inbound' | 'outbound', addr: string): Connection =>
  ({ direction, remoteAddr: multiaddr(addr), remotePeer: 'p' }) as never

test('a stream of an application is use, and one of libp2p, or one that asks for a service, is not', () => {
  for (const protocols of [
    [],
    [''],
    ['/ipfs/ping/1.0.0'],
    ['/ipfs/id/1.0.0', '/libp2p/dcutr'],
    [TUNNEL_PROTOCOL],
  ])
    assert.ok(!isInUse(carrying(...protocols), 'stranger'), protocols.join(' '))
  for (const protocols of [['/my-app/1'], ['/ipfs/ping/1.0.0', '/ipfs/kad/1.0.0']])
    assert.ok(isInUse(carrying(...protocols), 'stranger'), protocols.join(' '))
  assert.ok(isInUse(carrying(TUNNEL_PROTOCOL), 'known'))
  assert.ok(!isInUse(carrying('/ipfs/ping/1.0.0'), 'known'))
})

test('what this node has chosen is named, whatever the application says', () => {
  const ranks = createRanks({
    rankOf: () => 'stranger',
    isRelay: peerId => peerId === 'relay',
    isChosen: peerId => peerId === 'kept',
  })
  assert.deepEqual(
    ['relay', 'kept', 'other'].map(it => ranks.of(it)),
    ['named', 'named', 'stranger'],
  )
})

test('a relay is not a chosen peer, unless the application names it or this node dials it', () => {
  const isRelay = (): boolean => true
  assert.ok(!createRanks({ isRelay }).isChosenPeer('relay'))
  assert.ok(!createRanks({ isRelay, rankOf: () => 'known' }).isChosenPeer('relay'))
  assert.ok(createRanks({ isRelay, rankOf: () => 'named' }).isChosenPeer('relay'))
  assert.ok(createRanks({ isRelay, isChosen: () => true }).isChosenPeer('relay'))
})

test('an application that ranks nobody has strangers alone, and no strict limits', () => {
  assert.equal(createRanks().of('p'), 'stranger')
  assert.equal(createRanks().isStrict, false)
  assert.equal(createRanks({ rankOf: () => 'known' }).isStrict, true)
})

test('a dial is this node’s own unless a stranger’s circuit is upgraded by it', () => {
  const upgraded = createRanks({ isUpgradedFor: () => true })
  assert.ok(createRanks().isOwnDial(dialled('outbound', DIRECT)))
  assert.ok(!createRanks().isOwnDial(dialled('inbound', DIRECT)))
  assert.ok(!upgraded.isOwnDial(dialled('outbound', DIRECT)))
  assert.ok(upgraded.isOwnDial(dialled('outbound', CIRCUIT)))
})
