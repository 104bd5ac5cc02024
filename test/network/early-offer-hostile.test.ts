/** What our node makes of remotes that break the early offer of an initiator: the exchange goes on without it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { EARLY_OFFER_PROTOCOL } from '../../src/holepunch/early-offer.ts'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import {
  assertCarries,
  connectCircuit,
  startPlain,
  startPunching,
  startRelay,
  startTrap,
  streamEnded,
} from './circuit-stage.ts'
import { inTime } from '../waits.ts'
import { CONNECT, message, readMessage, SYNC } from './dcutr-message.ts'
import type { Connection, Libp2p, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { HolePunchFailure, HolePunchService } from '../../src/index.ts'
import type { Punching } from './circuit-stage.ts'

const LIMIT = { timeout: 50_000 }

/** Nothing answers there, and no route leads to it. */
const ELSEWHERE = '/ip4/11.0.0.1/tcp/4001'

interface Stage {
  own: Punching
  remote: Libp2p
  /** The streams of exchanges that our node has opened. */
  exchanges: Stream[]
  failed: Promise<HolePunchFailure>
  circuit: Connection
  accepted: Connection
}

/** A remote initiator that leaves exchanges to `onExchange`, connected to our node. */
async function stage(t: TestContext, onExchange: (stream: Stream) => void = () => {}): Promise<Stage> {
  const relay = await startRelay(t)
  const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
  const exchanges: Stream[] = []
  const take = (stream: Stream): void => {
    exchanges.push(stream)
    onExchange(stream)
  }
  await remote.handle(DCUTR_PROTOCOL, take, { runOnLimitedConnection: true })
  const failed = failureOf(own.services.dcutr)
  return { own, remote, exchanges, failed, ...(await connectCircuit(remote, own, relay)) }
}

async function failureOf(service: HolePunchService): Promise<HolePunchFailure> {
  return new Promise(resolve =>
    service.addEventListener('holepunch:failed', ({ detail }) => resolve(detail.reason), { once: true }),
  )
}

async function openOffer(connection: Connection): Promise<Stream> {
  const signal = AbortSignal.timeout(10_000)
  return connection.newStream(EARLY_OFFER_PROTOCOL, { runOnLimitedConnection: true, signal })
}

/** Resolves when so many bytes have come in on a stream. */
async function receives(stream: Stream, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let received = Buffer.alloc(0)
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
    received = Buffer.concat([received, data.subarray()])
    if (received.includes(bytes)) resolve()
  })
  await inTime(promise, 'the remote sends this')
}

describe('an initiator that offers early', { concurrency: 4 }, () => {
  it('an address that can be dialled is sent SYNC without an answer to CONNECT', LIMIT, async t => {
    const synced = Promise.withResolvers<void>()
    const { circuit } = await stage(t, stream => void receives(stream, message(SYNC)).then(synced.resolve))
    const stream = await openOffer(circuit)
    stream.send(message(CONNECT, [ELSEWHERE]))
    await inTime(synced.promise, 'SYNC comes')
    await streamEnded(stream)
    await assertCarries(circuit)
  })

  it('and then refuses each exchange makes the upgrade fail after three: protocol', LIMIT, async t => {
    const { circuit, exchanges, failed } = await stage(t, stream => {
      const isFirst = refused++ === 0
      const refuse = (): void => stream.abort(new Error('no'))
      if (isFirst) void receives(stream, message(SYNC)).then(refuse)
      else refuse()
    })
    let refused = 0
    const stream = await openOffer(circuit)
    stream.send(message(CONNECT, [ELSEWHERE]))
    const startedAt = performance.now()
    assert.equal(await failed, 'protocol')
    assert.equal(exchanges.length, 3)
    assert.ok(performance.now() - startedAt < 5_000, 'it does not dial until the window of a punch closes')
    await assertCarries(circuit)
  })

  const useless: Array<[title: string, bytes: (trap: number) => Buffer]> = [
    ['an empty message', () => Buffer.of(0)],
    ['garbage', () => Buffer.from('09ffffffffffffffffff', 'hex')],
    ['a SYNC', () => message(SYNC)],
    ['no address', () => message(CONNECT)],
    ['loopback', trap => message(CONNECT, [`/ip4/127.0.0.1/tcp/${trap}`, `/ip6/::1/tcp/${trap}`])],
    ['private addresses', trap => message(CONNECT, [`/ip4/192.168.77.1/tcp/${trap}`])],
  ]
  for (const [title, bytes] of useless)
    it(`${title} is asked in the exchange as usual, and nothing is dialled`, LIMIT, async t => {
      const trap = await startTrap(t)
      const { circuit, exchanges, failed } = await stage(t, stream => {
        void readMessage(stream).then(({ type }) => {
          assert.equal(type, CONNECT)
          stream.send(message(CONNECT))
        })
      })
      const stream = await openOffer(circuit)
      stream.send(bytes(trap.port))
      await streamEnded(stream)
      assert.equal(await failed, 'no-remote-candidates')
      assert.deepEqual([exchanges.length, trap.visits], [1, 0])
      await assertCarries(circuit)
    })

  it('twice at a time is refused the second', LIMIT, async t => {
    const { circuit } = await stage(t)
    const first = await openOffer(circuit)
    const second = await openOffer(circuit)
    await streamEnded(second)
    assert.deepEqual([first.status, second.status], ['open', 'reset'])
    await assertCarries(circuit)
  })

  it('and falls silent in the middle of a message is reset after 15 s', LIMIT, async t => {
    const { circuit } = await stage(t)
    const stream = await openOffer(circuit)
    stream.send(message(CONNECT, [ELSEWHERE]).subarray(0, 9))
    await streamEnded(stream)
    await assertCarries(circuit)
  })
})

describe('an early offer that nobody may make', () => {
  it('by the side that accepted the circuit is reset', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { circuit, accepted } = await connectCircuit(own, remote, relay)
    const stream = await openOffer(accepted)
    await streamEnded(stream)
    assert.equal(stream.status, 'reset')
    await assertCarries(circuit)
  })

  it('over a direct connection is reset', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay, { announce: [] }), await startPlain(t, relay)]
    const [addr] = own
      .getMultiaddrs()
      .filter(it => /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+$/.test(String(it)))
    const connection = await remote.dial(multiaddr(String(addr)))
    const stream = await connection.newStream(EARLY_OFFER_PROTOCOL, { signal: AbortSignal.timeout(10_000) })
    await streamEnded(stream)
    assert.equal(stream.status, 'reset')
    await assertCarries(connection)
  })
})

describe('a responder', () => {
  it('that does not speak it refuses the early offer, and asks in the exchange', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { circuit, accepted } = await connectCircuit(own, remote, relay)
    const stream = await accepted.newStream(DCUTR_PROTOCOL, { runOnLimitedConnection: true })
    const answer = readMessage(stream)
    stream.send(message(CONNECT, [ELSEWHERE]))
    assert.equal((await answer).type, CONNECT)
    await assertCarries(circuit)
  })

  it('is sent no private address before it has asked', LIMIT, async t => {
    const relay = await startRelay(t)
    const announce = ['/ip4/11.22.33.44/tcp/4001', '/ip4/192.168.77.2/tcp/4001', '/ip4/127.0.0.1/tcp/4001']
    const [own, remote] = [await startPunching(t, relay, { announce }), await startPlain(t, relay)]
    const offered = Promise.withResolvers<Promise<{ addrs: unknown[] }>>()
    const onOffer = (stream: Stream): void => offered.resolve(readMessage(stream))
    await remote.handle(EARLY_OFFER_PROTOCOL, onOffer, { runOnLimitedConnection: true })
    await connectCircuit(own, remote, relay)
    const { addrs } = await inTime(offered.promise, 'the offer comes')
    assert.deepEqual(addrs.map(String), ['/ip4/11.22.33.44/tcp/4001'])
  })
})
