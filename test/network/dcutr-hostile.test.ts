/**
 * Remotes that break DCUtR: each ends in a clean refusal, nothing is dialled, and the circuit goes on carrying data.
 *
 * The remotes are libp2p nodes on loopback whose DCUtR is written by hand here, byte by byte.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp as stockTcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import { dcutr, tcp } from '../../src/index.ts'
import { createRelay } from '../../relay/index.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { HolePunchService } from '../../src/index.ts'

const ECHO = '/test/echo/1'
const CONNECT = 100
const SYNC = 300

/** A message of DCUtR as it goes over the wire: protobuf with a length before it. */
function message(type: number, addrs: readonly string[] = []): Buffer<ArrayBuffer> {
  const parts = [Buffer.concat([Buffer.of(0x08), varint(type)])]
  for (const addr of addrs) {
    const { bytes } = multiaddr(addr)
    parts.push(Buffer.of(0x12), varint(bytes.length), Buffer.from(bytes))
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([varint(body.length), body])
}

function varint(value: number): Buffer<ArrayBuffer> {
  return value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of((value & 127) | 128), varint(value >> 7)])
}

const many = Array.from({ length: 1000 }, (_, n) => `/ip4/11.1.${n >> 8}.${n & 255}/tcp/4001`)
const loopback = [
  '/ip4/127.0.0.1/tcp/22',
  '/ip6/::1/tcp/22',
  '/ip4/169.254.1.1/tcp/22',
  '/ip4/224.0.0.1/tcp/22',
]

const hostile: Array<[title: string, bytes: Buffer]> = [
  ['an empty message', Buffer.of(0)],
  ['a truncated message', message(CONNECT, ['/ip4/11.0.0.1/tcp/1']).subarray(0, 6)],
  ['garbage', Buffer.from('5cffffffffffffffffff', 'hex')],
  ['a length that never ends', Buffer.alloc(64, 0xff)],
  ['a message of more than 4 KiB', Buffer.concat([varint(5000), Buffer.alloc(5000, 0x12)])],
  ['SYNC before CONNECT', message(SYNC)],
  ['CONNECT with 1000 addresses', message(CONNECT, many)],
  ['CONNECT without addresses', message(CONNECT)],
  ['CONNECT with addresses that must not be dialled', message(CONNECT, loopback)],
  ['CONNECT with names', message(CONNECT, ['/dns4/localhost/tcp/22'])],
]

describe('a responder that sends', () => {
  for (const [title, bytes] of hostile)
    it(`${title} is refused, and the circuit stays`, { timeout: 30_000 }, async t => {
      const stage = await createStage(t)
      const dialer = await stage.own()
      const remote = await stage.hostile()
      const accepted = opened(remote)
      const circuit = await stage.dial(dialer, remote)
      const back = await accepted
      const stream = await back.newStream(DCUTR_PROTOCOL, { runOnLimitedConnection: true, signal: t.signal })
      const closed = ended(stream)
      stream.send(bytes)
      if (title.startsWith('a truncated')) await stream.close()
      await closed
      await assertCarries(circuit)
    })

  it('nothing at all is given up on, and the circuit stays', { timeout: 40_000 }, async t => {
    const stage = await createStage(t)
    const dialer = await stage.own()
    const circuit = await stage.dial(dialer, await stage.hostile())
    await assert.rejects(dialer.services.dcutr.direct(circuit, { signal: t.signal }), {
      name: 'HolePunchFailedError',
      reason: 'not-supported',
    })
    await assertCarries(circuit)
  })
})

describe('an initiator that answers with', () => {
  for (const [title, bytes] of hostile)
    it(`${title} fails the upgrade, and the circuit stays`, { timeout: 30_000 }, async t => {
      const stage = await createStage(t)
      const listener = await stage.own()
      const remote = await stage.hostile(async stream => {
        stream.send(bytes)
        if (title.startsWith('a truncated')) await stream.close()
      })
      const failed = failure(listener)
      const circuit = await stage.dial(remote, listener)
      assert.match(await failed, /^(protocol|no-local-candidates|no-remote-candidates)$/)
      await assertCarries(circuit)
    })

  it('a reset fails the upgrade, and the circuit stays', { timeout: 30_000 }, async t => {
    const stage = await createStage(t)
    const listener = await stage.own()
    const remote = await stage.hostile(async stream => stream.abort(new Error('no')))
    const failed = failure(listener)
    const circuit = await stage.dial(remote, listener)
    assert.match(await failed, /^(protocol|no-local-candidates)$/)
    await assertCarries(circuit)
  })
})

describe('an exchange', () => {
  it('that is opened over a direct connection is refused', { timeout: 20_000 }, async t => {
    const stage = await createStage(t)
    const own = await stage.own()
    const remote = await stage.hostile()
    const connection = await remote.dial(
      own.getMultiaddrs().filter(addr => addr.toString().includes('127.0.0.1')),
    )
    const stream = await connection.newStream(DCUTR_PROTOCOL, { signal: t.signal })
    await ended(stream)
    assert.equal(connection.status, 'open')
  })

  it('that is opened by the side that dialled the circuit is refused', { timeout: 20_000 }, async t => {
    const stage = await createStage(t)
    const own = await stage.own()
    const remote = await stage.hostile()
    const circuit = await stage.dial(remote, own)
    const stream = await circuit.newStream(DCUTR_PROTOCOL, { signal: t.signal, runOnLimitedConnection: true })
    await ended(stream)
    await assertCarries(circuit)
  })
})

type Own = Libp2p<{ dcutr: HolePunchService }>

interface HostileStage {
  own(): Promise<Own>
  hostile(onExchange?: (stream: Stream) => Promise<void>): Promise<Libp2p>
  dial(from: Libp2p, to: Libp2p): Promise<Connection>
}

async function createStage(t: TestContext): Promise<HostileStage> {
  const relay = await createRelay({ listen: ['/ip4/127.0.0.1/tcp/0'] })
  t.after(() => relay.stop())
  const circuitListen = `${relay.addrs[0]}/p2p-circuit`
  const common = (...listen: string[]) => ({
    addresses: { listen: [...listen, circuitListen] },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  const started = async <Node extends Libp2p>(node: Node): Promise<Node> => {
    t.after(() => node.stop())
    await node.handle(ECHO, echo, { runOnLimitedConnection: true })
    return node
  }
  return {
    own: async () => {
      const services = { identify: identify(), ping: ping(), dcutr: dcutr() }
      return started(
        await createLibp2p({
          ...common('/ip4/127.0.0.1/tcp/0'),
          transports: [tcp(), circuitRelayTransport()],
          services,
        }),
      )
    },
    hostile: async onExchange => {
      const services = { identify: identify(), ping: ping() }
      const node = await createLibp2p({
        ...common(),
        transports: [stockTcp(), circuitRelayTransport()],
        services,
      })
      if (onExchange !== undefined)
        await node.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
      return started(node)
    },
    dial: async (from, to) => from.dial(multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${to.peerId}`)),
  }
}

async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) stream.send(data)
  await stream.close()
}

async function assertCarries(circuit: Connection): Promise<void> {
  assert.equal(circuit.status, 'open')
  const signal = AbortSignal.timeout(5_000)
  const stream = await circuit.newStream(ECHO, { runOnLimitedConnection: true, signal })
  stream.send(Buffer.from('still here'))
  await stream.close({ signal })
  const back: Buffer[] = []
  for await (const data of stream) back.push(Buffer.from(data.subarray()))
  assert.equal(Buffer.concat(back).toString(), 'still here')
}

/** Resolves when the other side has reset or closed the stream. */
async function ended(stream: Stream): Promise<void> {
  if (stream.status !== 'open') return
  await new Promise<void>(resolve => {
    stream.addEventListener('close', () => resolve(), { once: true })
    stream.addEventListener('remoteCloseWrite', () => resolve(), { once: true })
  })
}

/** Resolves with the next circuit that this node accepts. */
async function opened(node: Libp2p): Promise<Connection> {
  return new Promise(resolve => {
    const onOpen = ({ detail }: CustomEvent<Connection>): void => {
      if (!Circuit.exactMatch(detail.remoteAddr)) return
      node.removeEventListener('connection:open', onOpen)
      resolve(detail)
    }
    node.addEventListener('connection:open', onOpen)
  })
}

/** Resolves with the reason when an upgrade of this node has failed. */
async function failure({ services }: Own): Promise<string> {
  return new Promise(resolve => {
    services.dcutr.addEventListener('holepunch:failed', ({ detail }) => resolve(detail.reason), {
      once: true,
    })
  })
}
