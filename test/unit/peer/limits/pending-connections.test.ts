/** Connections that are being authenticated: which make room for which. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { PENDING_LIMITS } from '../../../../peer/limits/connection-limits.ts'
import { PendingConnections } from '../../../../peer/limits/pending-connections.ts'
import type { MultiaddrConnection, PeerId } from '@libp2p/interface'

const RELAY = '/ip4/192.0.2.1/tcp/1/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const OTHER_RELAY = '/ip4/192.0.2.2/tcp/1/p2p/12D3KooWPLKTSosrZbPg6ByrJ9CFkjKAq6UbyJmV5PVezn8whFrB'

/** A socket or a circuit, which notes whether it was aborted. */
class Pending extends EventTarget {
  readonly remoteAddr
  isAborted = false

  constructor(addr: string) {
    super()
    this.remoteAddr = multiaddr(addr)
  }

  abort(): void {
    this.isAborted = true
    this.dispatchEvent(new Event('close'))
  }

  get connection(): MultiaddrConnection {
    return this as never
  }
}

async function someone(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

function createGater(named = ''): PendingConnections {
  return new PendingConnections({
    ranks: { of: peerId => (peerId === named ? 'named' : 'stranger') },
    isReservedAt: () => true,
  })
}

function openAll(gater: PendingConnections, addrs: readonly string[]): Pending[] {
  return addrs.map(addr => {
    const pending = new Pending(addr)
    if (gater.denyInboundConnection(pending.connection)) pending.abort()
    return pending
  })
}

const isThere = ({ isAborted }: Pending): boolean => !isAborted

const times = (count: number, addrOf: (n: number) => string): string[] =>
  Array.from({ length: count }, (_, n) => addrOf(n))

for (const [what, addrOf] of [
  ['an IPv4 /24', n => `/ip4/198.51.100.${n}/tcp/1`],
  ['an IPv6 /56', n => `/ip6/2001:db8:0:${(n % 256).toString(16)}::${n.toString(16)}/tcp/1`],
  ['an IPv4-mapped /24', n => `/ip6/::ffff:198.51.100.${n}/tcp/1`],
] as const satisfies ReadonlyArray<[string, (n: number) => string]>)
  test(`sockets from ${what} replace each other, and no others`, () => {
    const gater = createGater()
    const [innocent] = openAll(gater, ['/ip4/203.0.113.1/tcp/1'])
    const crowd = openAll(gater, times(60, addrOf))
    assert.equal(crowd.filter(isThere).length, PENDING_LIMITS.socketsPerNetwork)
    assert.ok(isThere(crowd.at(-1)!) && !isThere(crowd[0]!))
    assert.ok(isThere(innocent!))
  })

test('sockets from many networks replace the oldest of them', () => {
  const gater = createGater()
  const crowd = openAll(
    gater,
    times(500, n => `/ip6/2001:db8:${n.toString(16)}::1/tcp/1`),
  )
  const [innocent] = openAll(gater, ['/ip4/203.0.113.1/tcp/1'])
  assert.ok(isThere(innocent!))
  assert.equal([...crowd, innocent!].filter(isThere).length, PENDING_LIMITS.sockets)
})

test('one network that opens more than it may per second gets no more, and others do', () => {
  const gater = createGater()
  const crowd = openAll(
    gater,
    times(400, () => '/ip4/198.51.100.1/tcp/1'),
  )
  assert.ok(crowd.slice(PENDING_LIMITS.socketsPerSecond).every(it => it.isAborted))
  assert.ok(openAll(gater, ['/ip4/203.0.113.1/tcp/1']).every(isThere))
})

test('circuits of made-up peers leave those of named peers, other relays and sockets their places', async () => {
  const named = await someone()
  const gater = createGater(String(named))
  const [own, quiet, socket] = openAll(gater, [
    `${RELAY}/p2p-circuit/p2p/${named}`,
    `${OTHER_RELAY}/p2p-circuit/p2p/${await someone()}`,
    '/ip4/203.0.113.1/tcp/1',
  ])
  const ids = await Promise.all(times(100, String).map(someone))
  openAll(
    gater,
    times(300, n => `${RELAY}/p2p-circuit/p2p/${ids[n % 100]}`),
  )
  assert.ok([own, quiet, socket].every(it => isThere(it!)))
  // a relay may claim any peer, and takes the places of its own circuits alone
  const elsewhere = openAll(gater, [`${OTHER_RELAY}/p2p-circuit/p2p/${named}`])
  openAll(
    gater,
    times(300, () => `${RELAY}/p2p-circuit/p2p/${named}`),
  )
  assert.ok(elsewhere.every(isThere))
  assert.ok([quiet, socket].every(it => isThere(it!)))
})

test('a connection that is authenticated, or closed, frees its place', async () => {
  const gater = createGater()
  const authenticated = openAll(
    gater,
    times(PENDING_LIMITS.socketsPerNetwork, n => `/ip4/198.51.100.${n}/tcp/1`),
  )
  for (const pending of authenticated)
    assert.equal(gater.denyInboundUpgradedConnection(await someone(), pending.connection), false)
  const closed = openAll(
    gater,
    times(PENDING_LIMITS.socketsPerNetwork, n => `/ip4/198.51.100.${100 + n}/tcp/1`),
  )
  assert.ok([...authenticated, ...closed].every(isThere))
})

test('a relay that this peer has no reservation at hands over nothing', async () => {
  const gater = new PendingConnections({ ranks: { of: () => 'named' }, isReservedAt: () => false })
  assert.equal(gater.denyInboundRelayedConnection(await someone()), true)
})
