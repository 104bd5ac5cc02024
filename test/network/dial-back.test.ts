/** AutoNAT v2 between our ends: what is verified, and what is not. */

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer } from '../../peer/index.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { startRelay, startTrap } from './circuit-stage.ts'
import {
  askByHand,
  dialRequest,
  dialResponse,
  DIAL_BACK,
  DIAL_REQUEST,
  fixed64Field,
} from './dial-back-stage.ts'
import { loopback, startRemote, startVerifier, turnsOf } from './dial-back-stage.ts'
import { field, fieldsOf, framed, messageIn, startClient, streamEnd } from './hop-client.ts'
import { freePort } from './free-port.ts'
import { once, until } from '../waits.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { RelayInit } from '../../relay/index.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Verifier } from './dial-back-stage.ts'

const PUBLIC = '/ip4/11.22.33.44/tcp/4001'
const OK = 200
const E_DIAL_REFUSED = 101
const E_DIAL_ERROR = 100

interface Asking {
  relay: Awaited<ReturnType<typeof startRelay>>
  node: Verifier
  addr: Multiaddr
  via: Connection
}

async function startAsking(t: TestContext, init: RelayInit = {}): Promise<Asking> {
  const relay = await startRelay(t, init)
  const { node, addr } = await startVerifier(t)
  return { relay, node, addr, via: await node.dial(relay.addrs[0] as Multiaddr) }
}

describe('an address', { concurrency: true }, () => {
  it('that the relay reaches is verified, and the connection is closed again', async t => {
    const { relay, node, addr, via } = await startAsking(t)
    const inbound = Promise.withResolvers<Connection>()
    node.addEventListener('connection:open', ({ detail }) => inbound.resolve(detail))
    const result = await node.services.dialBack.verify(addr, via)
    assert.partialDeepStrictEqual(result, { status: 'OK', dialStatus: 'OK', isVerified: true })
    assert.ok(result.addr?.equals(addr))
    const { remoteAddr, remotePeer } = await inbound.promise
    assert.ok(remotePeer.equals(relay.peerId))
    const ports = relay.addrs.map(it => endpointOf(it).port)
    assert.ok(!ports.includes(endpointOf(remoteAddr).port), 'it does not come from the port that was dialled')
    await until(() => node.getConnections().length === 1, 'only the first connection is left')
    assert.equal(relay.libp2p.getConnections().length, 1)
    assert.equal(turnsOf(relay), 0)
  })

  it('where nothing listens is answered at once', async t => {
    const { node, via } = await startAsking(t)
    const result = await node.services.dialBack.verify(loopback(await freePort()), via)
    assert.partialDeepStrictEqual(result, { status: 'OK', dialStatus: 'E_DIAL_ERROR', isVerified: false })
    assert.ok(result.elapsedMs < 2_000, `it took ${result.elapsedMs} ms`)
  })

  it('where nobody says anything is answered after 5 s', async t => {
    const { node, via } = await startAsking(t)
    const mute = createServer(socket => t.after(() => socket.destroy())).listen(0, '127.0.0.1')
    t.after(() => mute.close())
    await once(mute, 'listening')
    const { port } = mute.address() as AddressInfo
    const result = await node.services.dialBack.verify(loopback(port), via)
    assert.partialDeepStrictEqual(result, { status: 'OK', dialStatus: 'E_DIAL_ERROR', isVerified: false })
    assert.ok(result.elapsedMs > 4_900 && result.elapsedMs < 8_000, `it took ${result.elapsedMs} ms`)
  })

  it('where another peer answers is not verified', async t => {
    const { node, via } = await startAsking(t)
    const other = await startVerifier(t)
    const { dialStatus, isVerified } = await node.services.dialBack.verify(other.addr, via)
    assert.deepEqual([dialStatus, isVerified], ['E_DIAL_ERROR', false])
  })

  it('of a peer that takes the connection and no nonce has a dial-back error', async t => {
    const relay = await startRelay(t)
    const { node, addr } = await startVerifier(t)
    await node.unhandle(DIAL_BACK)
    const via = await node.dial(relay.addrs[0] as Multiaddr)
    const { dialStatus, isVerified } = await node.services.dialBack.verify(addr, via)
    assert.deepEqual([dialStatus, isVerified], ['E_DIAL_BACK_ERROR', false])
  })

  it('that is verified costs a peer nothing that it has: reservation, and quiet events', async t => {
    const relay = await startRelay(t)
    await using peer = await createPeer({ relays: relay.addrs })
    await peer.reachable({ signal: AbortSignal.timeout(10_000) })
    const heard: string[] = []
    for (const name of ['reservation:lost', 'peer:connected', 'peer:disconnected'] as const)
      peer.addEventListener(name, () => heard.push(name))
    const { nonce, port } = await answerByHand(peer.libp2p)
    const [via] = peer.libp2p.getConnections(relay.peerId)
    const request = dialRequest([loopback(port).bytes], nonce)
    const { status, dialStatus } = await askByHand(via as Connection, request)
    assert.deepEqual([status, dialStatus], [OK, OK])
    await until(() => relay.libp2p.getConnections(peer.peerId).length === 1, 'the dial-back is over')
    assert.deepEqual([heard, relay.reservations.size, peer.relays[0]?.state], [[], 1, 'held'])
  })
})

/** A peer that does not have the service yet: takes any nonce. */
async function answerByHand(
  node: Awaited<ReturnType<typeof createPeer>>['libp2p'],
): Promise<{ nonce: bigint; port: number }> {
  const onNonce = async (stream: Stream): Promise<void> => {
    await lpStream(stream).read()
    stream.send(framed(field(1, 0)))
  }
  await node.handle(DIAL_BACK, onNonce, { force: true })
  const own = node.getMultiaddrs().find(it => it.toString().startsWith('/ip4/127.0.0.1/'))
  return { nonce: 99n, port: endpointOf(own as Multiaddr).port }
}

describe('a relay dials', { concurrency: true }, () => {
  for (const [title, addrs] of [
    [
      'no address of another host',
      ['/ip4/127.0.0.2/tcp/PORT', '/ip4/11.22.33.44/tcp/PORT', '/ip6/::1/tcp/PORT'],
    ],
    ['no name', ['/dns4/localhost/tcp/PORT', '/dns/localhost/tcp/PORT']],
    ['no other transport', ['/ip4/127.0.0.1/udp/PORT', '/ip4/127.0.0.1/tcp/PORT/ws']],
    ['no port of a system service in its own network', ['/ip4/127.0.0.1/tcp/22', '/ip4/127.0.0.1/tcp/0']],
    ['nothing where no address is given', []],
  ] as const)
    it(title, async t => {
      const relay = await startRelay(t)
      const node = await startClient(t)
      const trap = await startTrap(t)
      const via = await node.dial(relay.addrs[0] as Multiaddr)
      const bytes = addrs.map(it => multiaddr(it.replace('PORT', String(trap.port))).bytes)
      assert.equal((await askByHand(via, dialRequest(bytes))).status, E_DIAL_REFUSED)
      assert.equal(trap.visits, 0)
    })

  it('no circuit', async t => {
    const relay = await startRelay(t)
    const node = await startClient(t)
    const trap = await startTrap(t)
    const via = await node.dial(relay.addrs[0] as Multiaddr)
    const circuit = multiaddr(`/ip4/127.0.0.1/tcp/${trap.port}/p2p/${relay.peerId}/p2p-circuit`)
    assert.equal((await askByHand(via, dialRequest([circuit.bytes]))).status, E_DIAL_REFUSED)
    assert.equal(trap.visits, 0)
  })

  it('no private address when it has a public one itself', async t => {
    const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`
    await startRelay(t, { listen: [listen], announce: [PUBLIC] })
    const { node, addr } = await startVerifier(t)
    const via = await node.dial(multiaddr(listen))
    const { status, isVerified } = await node.services.dialBack.verify(addr, via)
    assert.deepEqual([status, isVerified], ['E_DIAL_REFUSED', false])
  })

  it('the first address that it may, and tells which', async t => {
    const relay = await startRelay(t)
    const node = await startClient(t)
    const trap = await startTrap(t)
    const via = await node.dial(relay.addrs[0] as Multiaddr)
    const garbage = Buffer.from('not a multiaddr')
    const addrs = [
      garbage,
      loopback(trap.port, '127.0.0.2').bytes,
      loopback(trap.port).bytes,
      loopback(1).bytes,
    ]
    const answer = await askByHand(via, dialRequest(addrs))
    assert.deepEqual(answer, { status: OK, index: 2, dialStatus: E_DIAL_ERROR })
    assert.equal(trap.visits, 1)
  })
})

describe('a nonce', { concurrency: true }, () => {
  it('that nobody waits for is refused', async t => {
    const { node, addr } = await startVerifier(t)
    const stranger = await startClient(t)
    const stream = await (await stranger.dial(addr)).newStream(DIAL_BACK)
    stream.send(framed(fixed64Field(1, 1234n)))
    assert.equal(await streamEnd(stream), 'reset')
    assert.equal(node.status, 'started')
  })

  for (const [title, deliver] of [
    [
      'does not count over the connection that asked',
      async (nonce: bigint, to: Connection) => send(to, nonce),
    ],
    ['that never comes verifies nothing, whatever the remote says', async () => {}],
    ['that is another one verifies nothing', async (nonce: bigint, to: Connection) => send(to, nonce ^ 1n)],
  ] as const)
    it(title, async t => {
      const { node, addr } = await startVerifier(t)
      const { node: liar, addr: liarAddr } = await startRemote(t)
      await liar.handle(DIAL_REQUEST, async (stream, connection) => {
        await deliver(await nonceOf(stream), connection)
        stream.send(dialResponse(OK, OK))
      })
      const via = await node.dial(liarAddr)
      const result = await node.services.dialBack.verify(addr, via)
      assert.partialDeepStrictEqual(result, { status: 'OK', dialStatus: 'OK', isVerified: false })
    })

  it('counts once', async t => {
    const { node, addr } = await startVerifier(t)
    const { node: relay, addr: relayAddr } = await startRemote(t)
    const ends: string[] = []
    await relay.handle(DIAL_REQUEST, async (stream, connection) => {
      const nonce = await nonceOf(stream)
      const back = await relay.dial(addr, { force: true })
      assert.notEqual(back, connection)
      ends.push(await send(back, nonce), await send(back, nonce))
      stream.send(dialResponse(OK, OK))
    })
    const via = await node.dial(relayAddr)
    const { isVerified } = await node.services.dialBack.verify(addr, via)
    assert.deepEqual([isVerified, ends], [true, ['closed', 'reset']])
  })
})

describe('an answer', { concurrency: true }, () => {
  for (const [what, bytes] of [
    ['with a status that does not exist', dialResponse(300, OK)],
    ['with a dial status that does not exist', dialResponse(OK, 300)],
    ['that names an address which nobody asked for', dialResponse(OK, OK, 5)],
    ['that is a request', dialRequest([])],
    ['that is no message', framed(Buffer.alloc(40, 0xff))],
  ] as const)
    it(`${what} fails`, async t => {
      const { node, via } = await startAnsweredWith(t, bytes)
      await assert.rejects(node.services.dialBack.verify(loopback(4001), via))
    })

  it('that wants data first counts as a refusal', async t => {
    const wantsData = framed(field(3, Buffer.concat([field(1, 0), field(2, 40_000)])))
    const { node, via } = await startAnsweredWith(t, wantsData)
    const { status, isVerified } = await node.services.dialBack.verify(loopback(4001), via)
    assert.deepEqual([status, isVerified], ['E_DIAL_REFUSED', false])
  })

  it('is not waited for longer than the signal allows', async t => {
    const { node, via } = await startAnsweredWith(t, Buffer.alloc(0))
    const signal = AbortSignal.timeout(200)
    await assert.rejects(node.services.dialBack.verify(loopback(4001), via, { signal }), {
      name: 'TimeoutError',
    })
  })
})

async function startAnsweredWith(
  t: TestContext,
  bytes: Uint8Array,
): Promise<{ node: Verifier; via: Connection }> {
  const { node } = await startVerifier(t)
  const { node: remote, addr } = await startRemote(t)
  await remote.handle(DIAL_REQUEST, async stream => {
    await nonceOf(stream)
    if (bytes.byteLength > 0) stream.send(bytes)
  })
  return { node, via: await node.dial(addr) }
}

async function nonceOf(stream: Stream): Promise<bigint> {
  const messages = lpStream(stream)
  const body = (await messages.read()).subarray()
  messages.unwrap()
  // the nonce is the last field of the request
  assert.ok(messageIn(fieldsOf(body.subarray(0, 2)), 1) !== undefined)
  return Buffer.from(body).readBigUInt64LE(body.byteLength - 8)
}

/** Gives a nonce to a node; resolves with how its stream ended. */
async function send(connection: Connection, nonce: bigint): Promise<string> {
  const stream = await connection.newStream(DIAL_BACK)
  const ended = once(stream as never, 'close', { signal: AbortSignal.timeout(10_000) })
  stream.send(framed(fixed64Field(1, nonce)))
  stream.close().catch(() => {})
  await ended
  return stream.status
}
