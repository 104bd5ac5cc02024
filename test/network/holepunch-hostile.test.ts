/**
 * What our node makes of remotes that break DCUtR: the reason it states, how often it tries, what it dials (nothing).
 *
 * The runner fails a test during which a rejection goes unhandled, so each test asserts that, too.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import {
  ANNOUNCED,
  assertCarries,
  connectCircuit,
  startPlain,
  startPunching,
  startRelay,
  startTrap,
  streamEnded,
} from './circuit-stage.ts'
import { CONNECT, message, readMessage, SYNC } from './dcutr-message.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { HolePunchFailure, HolePunchService } from '../../src/index.ts'

const LIMIT = { timeout: 50_000 }
const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'

interface Message {
  title: string
  /** `trap` is the port of a listener that must not be dialled. */
  bytes: (trap: number) => Buffer
  reason: HolePunchFailure
}

// what a responder retries counts as a broken exchange; it is useless to ask again for addresses that cannot be dialled
const messages: Message[] = [
  { title: 'an empty message', bytes: () => Buffer.of(0), reason: 'protocol' },
  { title: 'garbage', bytes: () => Buffer.from('09ffffffffffffffffff', 'hex'), reason: 'protocol' },
  {
    title: 'more than 4 KiB',
    bytes: trap =>
      message(
        CONNECT,
        Array.from({ length: 1000 }, () => `/ip4/127.0.0.1/tcp/${trap}`),
      ),
    reason: 'protocol',
  },
  { title: 'SYNC before CONNECT', bytes: () => message(SYNC), reason: 'protocol' },
  { title: 'an unknown type', bytes: () => message(77, ['/ip4/11.0.0.1/tcp/1']), reason: 'protocol' },
  { title: 'no addresses', bytes: () => message(CONNECT), reason: 'no-remote-candidates' },
  {
    title: 'as many addresses as fit, all on loopback',
    bytes: trap =>
      message(
        CONNECT,
        Array.from({ length: 380 }, () => `/ip4/127.0.0.1/tcp/${trap}`),
      ),
    reason: 'no-remote-candidates',
  },
  {
    title: 'loopback in other clothes',
    bytes: trap =>
      message(CONNECT, [
        `/ip4/127.0.0.1/tcp/${trap}`,
        `/ip4/127.1.2.3/tcp/${trap}`,
        `/ip4/0.0.0.0/tcp/${trap}`,
        `/ip6/::1/tcp/${trap}`,
        `/ip6/::ffff:127.0.0.1/tcp/${trap}`,
        `/dns4/localhost/tcp/${trap}`,
        `/ip4/127.0.0.1/tcp/${trap}/ws`,
        `/ip4/127.0.0.1/tcp/${trap}/p2p/${RELAY}/p2p-circuit`,
      ]),
    reason: 'no-remote-candidates',
  },
  {
    title: 'link-local and multicast addresses',
    bytes: () =>
      message(CONNECT, ['/ip4/169.254.169.254/tcp/80', '/ip4/224.0.0.1/tcp/1', '/ip6/fe80::1/tcp/1']),
    reason: 'no-remote-candidates',
  },
  {
    title: "our node's own address",
    bytes: () => message(CONNECT, [ANNOUNCED]),
    reason: 'no-remote-candidates',
  },
  {
    title: 'circuits on the public network',
    bytes: () => message(CONNECT, [`/ip4/11.0.0.1/tcp/1/p2p/${RELAY}/p2p-circuit`]),
    reason: 'no-remote-candidates',
  },
]

/** DCUtR.md: "B SHOULD retry twice". */
const ATTEMPTS = { protocol: 3, 'no-remote-candidates': 1 } as Record<HolePunchFailure, number>

/** Follows what the service reports: the reason in the end, and how many punches began. */
function watch(
  t: TestContext,
  service: HolePunchService,
): { failed: Promise<HolePunchFailure>; punches: () => number } {
  const { promise, resolve } = Promise.withResolvers<HolePunchFailure>()
  let punches = 0
  service.addEventListener('holepunch:attempt', () => punches++, { signal: t.signal })
  service.addEventListener('holepunch:failed', ({ detail }) => resolve(detail.reason), { once: true })
  return { failed: promise, punches: () => punches }
}

describe('an initiator that answers with', { concurrency: 4 }, () => {
  for (const { title, bytes, reason } of messages) {
    it(`${title} makes the upgrade fail: ${reason}`, LIMIT, async t => {
      const [relay, trap] = [await startRelay(t), await startTrap(t)]
      const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
      let exchanges = 0
      const onExchange = (stream: Stream): void => {
        exchanges++
        stream.send(bytes(trap.port))
      }
      await remote.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
      const { failed, punches } = watch(t, own.services.dcutr)
      const { circuit, accepted } = await connectCircuit(remote, own, relay)
      assert.equal(await failed, reason)
      assert.equal(exchanges, ATTEMPTS[reason])
      await assert.rejects(own.services.dcutr.direct(accepted), { name: 'HolePunchFailedError', reason })
      await assertCarries(circuit)
      assert.deepEqual([punches(), trap.visits], [0, 0])
    })
  }

  it('addresses goes unanswered where our node has none itself: no-local-candidates', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay, { announce: [] }), await startPlain(t, relay)]
    const offered = Promise.withResolvers<unknown>()
    const onExchange = async (stream: Stream): Promise<void> => {
      offered.resolve((await readMessage(stream)).addrs)
      stream.abort(new Error('no'))
    }
    await remote.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
    const { failed } = watch(t, own.services.dcutr)
    const { circuit } = await connectCircuit(remote, own, relay)
    assert.deepEqual(await offered.promise, [])
    assert.equal(await failed, 'no-local-candidates')
    await assertCarries(circuit)
  })

  it('a refusal of the protocol makes the upgrade fail: not-supported', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { failed } = watch(t, own.services.dcutr)
    const { circuit } = await connectCircuit(remote, own, relay)
    assert.equal(await failed, 'not-supported')
    await assertCarries(circuit)
  })

  it('the end of the circuit makes the upgrade fail: circuit-closed', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const onExchange = (_: Stream, connection: Connection): void => connection.abort(new Error('gone'))
    await remote.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
    const { failed } = watch(t, own.services.dcutr)
    await connectCircuit(remote, own, relay)
    assert.equal(await failed, 'circuit-closed')
  })

  it('nothing, while our node stops, makes the upgrade fail: stopped', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const asked = Promise.withResolvers<void>()
    await remote.handle(DCUTR_PROTOCOL, () => asked.resolve(), { runOnLimitedConnection: true })
    const { failed } = watch(t, own.services.dcutr)
    await connectCircuit(remote, own, relay)
    await asked.promise
    await own.services.dcutr.stop()
    assert.equal(await failed, 'stopped')
  })
})

describe('a responder that opens an exchange with', { concurrency: 4 }, () => {
  for (const { title, bytes, reason } of messages) {
    it(`${title} is refused each time, until the upgrade fails: ${reason}`, LIMIT, async t => {
      const [relay, trap] = [await startRelay(t), await startTrap(t)]
      const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
      const { failed, punches } = watch(t, own.services.dcutr)
      const { circuit, accepted } = await connectCircuit(own, remote, relay)
      // an initiator cannot know which is the last attempt: three, and the reversal that may follow them
      const exchanges = reason === 'protocol' ? 3 : 4
      for (let n = 0; n < exchanges; n++) {
        const stream = await openExchange(accepted)
        stream.send(bytes(trap.port))
        await streamEnded(stream)
      }
      assert.equal(await failed, reason)
      await assert.rejects(own.services.dcutr.direct(circuit), { name: 'HolePunchFailedError', reason })
      await assertCarries(circuit)
      await assertCarries(accepted)
      assert.deepEqual([punches(), trap.visits], [0, 0])
    })
  }

  it('public addresses is told ours alone, and nothing is dialled without a SYNC', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { punches } = watch(t, own.services.dcutr)
    const { circuit, accepted } = await connectCircuit(own, remote, relay)
    const stream = await openExchange(accepted)
    const answer = readMessage(stream)
    stream.send(message(CONNECT, ['/ip4/11.0.0.1/tcp/1']))
    const { type, addrs } = await answer
    assert.equal(type, CONNECT)
    assert.deepEqual(addrs.map(String), [ANNOUNCED])
    stream.send(message(CONNECT, ['/ip4/11.0.0.1/tcp/1']))
    await streamEnded(stream)
    assert.equal(punches(), 0)
    await assertCarries(circuit)
  })

  it('a second one beside the first is refused', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { circuit, accepted } = await connectCircuit(own, remote, relay)
    const first = await openExchange(accepted)
    const second = await openExchange(accepted)
    await streamEnded(second)
    assert.deepEqual([first.status, second.status], ['open', 'reset'])
    await assertCarries(circuit)
  })
})

describe('the options of @libp2p/dcutr', () => {
  it('bound the attempts, and the time of each exchange', LIMIT, async t => {
    const relay = await startRelay(t)
    const dcutrInit = { retries: 2, timeout: 300 }
    const [own, remote] = [await startPunching(t, relay, { dcutrInit }), await startPlain(t, relay)]
    let exchanges = 0
    await remote.handle(DCUTR_PROTOCOL, () => void exchanges++, { runOnLimitedConnection: true })
    const { failed } = watch(t, own.services.dcutr)
    const { circuit } = await connectCircuit(remote, own, relay)
    assert.equal(await failed, 'protocol')
    assert.equal(exchanges, 2)
    await assertCarries(circuit)
  })
})

describe('a remote that falls silent', { concurrency: true }, () => {
  it('as initiator is waited for 15 s and asked again; the circuit carries data', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const second = Promise.withResolvers<void>()
    const first = Promise.withResolvers<Stream>()
    let exchanges = 0
    const onExchange = (stream: Stream): void => {
      if (++exchanges === 1) first.resolve(stream)
      else second.resolve()
    }
    await remote.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
    const { circuit } = await connectCircuit(remote, own, relay)
    const stream = await first.promise
    await assertCarries(circuit)
    await streamEnded(stream)
    await second.promise
    await assertCarries(circuit)
  })

  it('as responder, in the middle of a message, is refused after 15 s', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { circuit, accepted } = await connectCircuit(own, remote, relay)
    const stream = await openExchange(accepted)
    stream.send(message(CONNECT, ['/ip4/11.0.0.1/tcp/1']).subarray(0, 9))
    await assertCarries(circuit)
    await streamEnded(stream)
    await assertCarries(circuit)
  })
})

describe('an exchange that nobody may open', () => {
  it('by the side that dialled the circuit is reset before a word is said', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
    const { circuit } = await connectCircuit(remote, own, relay)
    const stream = await openExchange(circuit)
    await streamEnded(stream)
    assert.equal(stream.status, 'reset')
    await assertCarries(circuit)
  })

  it('over a direct connection is reset before a word is said', LIMIT, async t => {
    const relay = await startRelay(t)
    const [own, remote] = [await startPunching(t, relay, { announce: [] }), await startPlain(t, relay)]
    const [addr] = own
      .getMultiaddrs()
      .filter(it => /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+$/.test(String(it)))
    const connection = await remote.dial(multiaddr(String(addr)))
    const stream = await openExchange(connection)
    await streamEnded(stream)
    assert.equal(stream.status, 'reset')
    await assertCarries(connection)
  })
})

async function openExchange(connection: Connection): Promise<Stream> {
  return connection.newStream(DCUTR_PROTOCOL, {
    runOnLimitedConnection: true,
    maxOutboundStreams: 4,
    signal: AbortSignal.timeout(10_000),
  })
}
