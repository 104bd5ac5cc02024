/** What a relay and a peer say of themselves on a machine with hundreds of addresses: every reader can read it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createPeer } from '../../peer/index.ts'
import { startRelay } from './circuit-stage.ts'
import { field, fieldsOf, framed, HOP, messageIn, openHop, RESERVE, startClient } from './hop-client.ts'
import type { Connection, IdentifyResult, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { Fields } from './hop-client.ts'

const LIMIT = { timeout: 40_000 }
const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

/** The least that all read: rust-libp2p of identify, all of reservations. */
const MOST_BYTES = 4096

const numbers = (length: number): number[] => Array.from({ length }, (_, i) => i)

/** What the machine has beside its true addresses. */
const machines: Record<string, string[]> = {
  '100 private IPv4 addresses': numbers(100).map(i => `/ip4/10.1.${i}.1/tcp/4001`),
  '200 private addresses of each family': numbers(200).flatMap(i => [
    `/ip4/10.1.${i}.1/tcp/4001`,
    `/ip6/fd00::${i + 1}/tcp/4001`,
  ]),
  '600 public addresses of each family, and a WebSocket listener': numbers(600).flatMap(i => [
    `/ip4/11.1.${i >> 8}.${i & 255}/tcp/4001`,
    `/ip6/2a00::${(i + 1).toString(16)}/tcp/4001`,
    `/ip4/11.1.${i >> 8}.${i & 255}/tcp/443/ws`,
  ]),
}

/** Has a node believe that it listens on these as well; a relay vouches for them. Returns where it truly listens. */
function addAddresses(node: Libp2p, addrs: readonly string[]): Multiaddr[] {
  const { components } = node as unknown as {
    components: {
      transportManager: { getAddrs(): Multiaddr[] }
      addressManager: { confirmObservedAddr(addr: Multiaddr, options: object): void }
    }
  }
  const { transportManager, addressManager } = components
  const own = transportManager.getAddrs()
  const all = [...own, ...addrs.map(it => multiaddr(it))]
  transportManager.getAddrs = () => all
  for (const addr of all) addressManager.confirmObservedAddr(addr, { type: 'transport', ttl: 1e9 })
  return own
}

/** The next message on a stream of this protocol, as bytes. */
async function read(connection: Connection, protocol: string, request?: Uint8Array): Promise<Uint8Array> {
  const stream = protocol === HOP ? await openHop(connection) : await connection.newStream(protocol)
  if (request !== undefined) stream.send(request)
  const message = await lpStream(stream).read(within(10_000))
  return message.subarray()
}

const addrsIn = (fields: Fields | undefined): string[] =>
  (fields?.get(2) ?? []).map(addr => multiaddr(addr as Buffer).toString())

/** Asserts what identify says, and that the signed record in it says the same. */
async function assertIdentifies(connection: Connection, { ipv6 }: { ipv6: boolean }): Promise<void> {
  const message = await read(connection, '/ipfs/id/1.0.0')
  assert.ok(message.byteLength <= MOST_BYTES, `identify has ${message.byteLength} bytes`)
  const fields = fieldsOf(message)
  const listed = addrsIn(fields)
  assert.ok(listed.length > 20, `${listed.length} addresses`)
  assert.equal(
    listed.some(it => it.startsWith('/ip6/')),
    ipv6,
  )
  const envelope = await RecordEnvelope.openAndCertify(fields.get(8)?.[0] as Buffer, PeerRecord.DOMAIN)
  const record = PeerRecord.createFromProtobuf(envelope.payload)
  assert.deepEqual(record.multiaddrs.map(String), listed)
}

describe('a relay on a machine with', { concurrency: 2 }, () => {
  for (const [what, addrs] of Object.entries(machines)) {
    it(`${what} grants reservations that every peer can read`, LIMIT, async t => {
      const relay = await startRelay(t)
      const own = addAddresses(relay.libp2p, addrs)
      const connection = await (await startClient(t)).dial(own)
      const answer = await read(connection, HOP, RESERVE)
      assert.ok(answer.byteLength <= MOST_BYTES, `the answer has ${answer.byteLength} bytes`)
      const told = addrsIn(messageIn(fieldsOf(answer), 3))
      assert.ok(told.length > 20, `${told.length} addresses`)
      assert.equal(
        told.some(it => it.startsWith('/ip6/')),
        addrs.some(it => it.startsWith('/ip6/')),
      )
      await assertIdentifies(connection, { ipv6: addrs.some(it => it.startsWith('/ip6/')) })
    })
  }

  it('400 addresses and an RSA key grants and identifies, too', LIMIT, async t => {
    const relay = await startRelay(t, { privateKey: await generateKeyPair('RSA', 4096) })
    const own = addAddresses(relay.libp2p, machines['200 private addresses of each family']!)
    const connection = await (await startClient(t)).dial(own)
    assert.ok((await read(connection, HOP, RESERVE)).byteLength <= MOST_BYTES)
    await assertIdentifies(connection, { ipv6: true })
  })
})

describe('a peer on a machine with', { concurrency: 2 }, () => {
  for (const [what, addrs] of Object.entries(machines)) {
    it(`${what} identifies itself so that every peer can read it`, LIMIT, async t => {
      const peer = await createPeer({ relays: [], reserve: false })
      t.after(() => peer.stop())
      const own = addAddresses(peer.libp2p, addrs)
      const connection = await (await startClient(t)).dial(
        own.find(it => it.toString().startsWith('/ip4/127.'))!,
      )
      await assertIdentifies(connection, { ipv6: true })
    })
  }

  it('400 addresses and 200 protocols is identified by a stock node with all of them', LIMIT, async t => {
    const peer = await createPeer({ relays: [], reserve: false })
    t.after(() => peer.stop())
    const names = numbers(200).map(i => `/example/a-protocol-with-a-name/${i}/1.0.0`)
    for (const name of names) await peer.handle(name, () => {})
    const own = addAddresses(peer.libp2p, machines['200 private addresses of each family']!)
    const stock = await startHost(t, { identify: identify() })
    const identified = new Promise<IdentifyResult>(resolve =>
      stock.addEventListener('peer:identify', ({ detail }) => resolve(detail), { once: true }),
    )
    const connection = await stock.dial(own.find(it => it.toString().startsWith('/ip4/127.'))!)
    const { protocols, listenAddrs, signedPeerRecord, observedAddr } = await identified
    assert.deepEqual(
      names.filter(name => !protocols.includes(name)),
      [],
    )
    assert.deepEqual(signedPeerRecord?.addresses.map(String), listenAddrs.map(String))
    assert.match(String(observedAddr), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
    // what a reader of one message sees
    const first = fieldsOf(await read(connection, '/ipfs/id/1.0.0'))
    assert.equal(addrsIn(first).length, listenAddrs.length)
  })

  it(
    'few addresses reserves at a relay that answers with 200 addresses, as @libp2p/circuit-relay-v2 does',
    LIMIT,
    async t => {
      const relay = await startHost(t)
      const addrs = numbers(200).map(i => multiaddr(`/ip4/10.1.${i}.1/tcp/4001/p2p/${relay.peerId}`))
      const reservation = [
        field(1, Math.floor(Date.now() / 1000) + 3600),
        ...addrs.map(addr => field(2, addr.bytes)),
      ]
      const answer = [field(1, 2), field(3, Buffer.concat(reservation)), field(5, 100)]
      await relay.handle(HOP, async stream => {
        stream.send(framed(Buffer.concat(answer)))
        await stream.close()
      })
      const peer = await createPeer({ relays: relay.getMultiaddrs() })
      t.after(() => peer.stop())
      await peer.reachable(within(10_000))
    },
  )
})

describe('src/protocols/identify', () => {
  it(
    'exists because @libp2p/identify writes all addresses, twice, in one message that it does not read itself',
    LIMIT,
    async t => {
      const remote = await startHost(t, { identify: identify() })
      const [addr] = remote.getMultiaddrs()
      addAddresses(remote, machines['200 private addresses of each family']!)
      const node = await startHost(t, { identify: identify({ runOnConnectionOpen: false }) })
      const connection = await node.dial(addr!)
      const service = node.services as { identify: ReturnType<ReturnType<typeof identify>> }
      await assert.rejects(service.identify.identify(connection), /Message length too long - \d+ > 8192/)
    },
  )
})

/** A plain node that listens. */
async function startHost(
  t: TestContext,
  services: Record<string, ReturnType<typeof identify>> = {},
): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services,
  })
  t.after(() => node.stop())
  return node
}
