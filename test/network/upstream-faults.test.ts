/**
 * Faults of libraries that are worked around. Each test passes as long as the fault is there: when one fails, the fault is
 * mended, and the workaround that names it can go.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { transportSymbol } from '@libp2p/interface'
import { lpStream, multiaddrConnectionPair, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { turns } from '../waits.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Libp2p, MultiaddrConnection, PeerId, Transport, Upgrader } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, TransportManager } from '@libp2p/interface-internal'
import type { Libp2pOptions } from 'libp2p'
import type { TestContext } from 'node:test'

interface Components {
  addressManager: AddressManager
  connectionManager: ConnectionManager
  transportManager: TransportManager
  upgrader: Upgrader
}

const LISTEN = { listen: ['/ip4/127.0.0.1/tcp/0'] }

describe('src/transport and src/holepunch', () => {
  it('exist because @libp2p/identify throws observed TCP addresses away (js-libp2p issue 2620)', async t => {
    const { node, components } = await create(t, { services: { identify: identify() } })
    const service = node.services.identify as unknown as { maybeAddObservedAddress(addr: Uint8Array): void }
    service.maybeAddObservedAddress(multiaddr('/ip4/11.0.0.1/tcp/4001').bytes)
    service.maybeAddObservedAddress(multiaddr('/ip4/11.0.0.1/udp/4001/quic-v1').bytes)
    const observed = (
      components.addressManager as unknown as { getObservedAddrs(): unknown[] }
    ).getObservedAddrs()
    assert.deepEqual(observed.map(String), ['/ip4/11.0.0.1/udp/4001/quic-v1'])
  })

  it('punch past the dial queue because it drops the role that DCUtR deals', async t => {
    let seen: object = {}
    const transport = {
      [transportSymbol]: true,
      [Symbol.toStringTag]: 'test',
      dialFilter: (addrs: unknown[]) => addrs,
      listenFilter: () => [],
      dial: async (_addr: unknown, options: object) => {
        seen = options
        throw new Error('not dialled')
      },
    } as unknown as Transport
    const { components } = await create(t, { transports: [() => transport] })
    const options = { initiator: false, force: true }
    await assert.rejects(
      components.connectionManager.openConnection(multiaddr('/ip4/11.0.0.1/tcp/1'), options),
    )
    assert.equal('signal' in seen, true, 'options get through')
    assert.equal('initiator' in seen, false)
  })

  it('give each dial a signal of its own because it stays attached to the connection', async t => {
    const remote = await create(t, { addresses: LISTEN })
    const { components } = await create(t, {})
    const dialling = new AbortController()
    const addr = remote.node.getMultiaddrs()[0]!
    const connection = await components.transportManager.dial(addr, { signal: dialling.signal })
    const closed = new Promise(resolve => connection.addEventListener('close', resolve, { once: true }))
    assert.equal(connection.status, 'open')
    dialling.abort()
    await closed
    assert.notEqual(connection.status, 'open')
  })
})

describe('relay/hop', () => {
  it('replaces the stock server because it keeps the reservations of peers that are gone (js-libp2p issue 2833)', async t => {
    const relay = await createStockRelay(t)
    const peer = await listenOn(t, relay)
    assert.equal(relay.services.relay.reservations.size, 1)
    const gone = new Promise(resolve => relay.addEventListener('peer:disconnect', resolve, { once: true }))
    await peer.stop()
    await gone
    assert.equal(relay.services.relay.reservations.size, 1)
  })
})

describe('peer/relays/reservations/keeper.ts', () => {
  it('keeps reservations because a node that listens on a relay that is down does not start', async t => {
    const addr = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw/p2p-circuit'
    const options = { addresses: { listen: [addr] }, transports: [tcp(), circuitRelayTransport()] }
    await assert.rejects(create(t, { ...options, services: { identify: identify() } }))
  })
})

describe('peer/relays/reservations/request.ts', () => {
  it('lets no reservation wait because the stock transport forgets those that do', async t => {
    const [one, two] = [await createStockRelay(t), await createStockRelay(t)]
    const transports = [tcp(), circuitRelayTransport()]
    const { node, components } = await create(t, { transports, services: { identify: identify() } })
    for (const relay of [one, two]) await node.dial(relay.getMultiaddrs())
    const store = storeOf(components)
    const first = store.addRelay(one.peerId, 'configured')
    void store.addRelay(two.peerId, 'configured')
    assert.equal(store.reserveQueue.size, 2)
    await first
    await turns(1)
    assert.deepEqual([store.reserveQueue.size, store.hasReservation(two.peerId)], [0, false])
  })
})

describe('relay/relay.ts', () => {
  it('sets no limit because the stock server tells its duration in milliseconds for seconds', async t => {
    const relay = await createStockRelay(t)
    const listener = await listenOn(t, relay)
    const transports = [tcp(), circuitRelayTransport()]
    const { node } = await create(t, { transports, services: { identify: identify() } })
    const addr = multiaddr(`${relay.getMultiaddrs()[0]}/p2p-circuit/p2p/${listener.peerId}`)
    const { limits } = await node.dial(addr)
    const seconds = limits?.seconds ?? 0
    // the default is two minutes; what has passed of it may be taken off
    assert.ok(seconds > 100_000 && seconds <= 120_000, `${seconds}, where circuit-v2.md wants 120`)
  })
})

describe('src/protocols/message-bounds.ts', () => {
  it('exists because lpStream reads a length that does not end', async () => {
    const [near, far] = await streamPair()
    const messages = lpStream(far, { maxDataLength: 4096 })
    near.send(Buffer.alloc(64, 0x80))
    const reading = messages.read({ signal: AbortSignal.timeout(500) })
    await assert.rejects(reading, { name: 'TimeoutError' }, 'two bytes tell 4096; it waits for more than 64')
  })
})

describe('src/holepunch/punch/punch.ts', () => {
  for (const [direction, works] of [
    ['outbound', false],
    ['inbound', true],
  ] as const)
    it(`sets the direction because yamux takes its role from it: '${direction}' as server ${works ? 'works' : 'fails'}`, async t => {
      const [client, server] = [await create(t, {}), await create(t, {})]
      await server.node.handle('/test/1', async stream => stream.close())
      const [near, far] = multiaddrConnectionPair()
      const signal = AbortSignal.timeout(5_000)
      const [connection] = await Promise.all([
        client.components.upgrader.upgradeOutbound(pinned(near, server.node), { signal, initiator: true }),
        server.components.upgrader.upgradeOutbound(Object.assign(pinned(far, client.node), { direction }), {
          signal,
          initiator: false,
        }),
      ])
      const opened = connection.newStream('/test/1', { signal })
      if (works) await opened
      else await assert.rejects(opened)
    })
})

/** Appends the peer id that must answer, as a dial does. */
function pinned(socket: MultiaddrConnection, { peerId }: Libp2p): MultiaddrConnection {
  return Object.assign(socket, { remoteAddr: multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${peerId}`) })
}

interface StockStore {
  reserveQueue: { size: number }
  addRelay(relay: PeerId, type: 'configured'): Promise<unknown>
  hasReservation(relay: PeerId): boolean
}

function storeOf({ transportManager }: Components): StockStore {
  const transport = transportManager.getTransports().find(it => 'reservationStore' in it)
  return (transport as unknown as { reservationStore: StockStore }).reservationStore
}

async function create<Services extends Record<string, unknown>>(
  t: TestContext,
  options: Libp2pOptions<Services>,
): Promise<{ node: Libp2p<Services>; components: Components }> {
  let components: unknown
  const capture = (given: unknown): object => {
    components = given
    return {}
  }
  const services = { ...options.services, capture } as unknown as Libp2pOptions<Services>['services']
  const stack = { transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()] }
  const node = await createLibp2p<Services>({ ...stack, ...options, services } as Libp2pOptions<Services>)
  t.after(() => node.stop())
  return { node, components: components as Components }
}

async function createStockRelay(t: TestContext): Promise<Libp2p<{ relay: CircuitRelayService }>> {
  const services = { identify: identify(), relay: circuitRelayServer() }
  const { node } = await create(t, { addresses: LISTEN, services: services as never })
  return node as unknown as Libp2p<{ relay: CircuitRelayService }>
}

async function listenOn(t: TestContext, relay: Libp2p): Promise<Libp2p> {
  const listen = [`${relay.getMultiaddrs()[0]}/p2p-circuit`]
  const transports = [tcp(), circuitRelayTransport()]
  const { node } = await create(t, { addresses: { listen }, transports, services: { identify: identify() } })
  return node
}
