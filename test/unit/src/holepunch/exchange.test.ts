/** The frames of a DCUtR exchange, both sides, byte by byte; and what each side makes of frames that are wrong. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { offerTo, reachableCandidates, RemoteCandidates } from '../../../../src/holepunch/candidates.ts'
import { HolePunchFailedError } from '../../../../src/errors.ts'
import { answerExchange, HolePunchMessage } from '../../../../src/holepunch/exchange.ts'
import { openExchange, DCUTR_PROTOCOL } from '../../../../src/holepunch/exchange.ts'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { ExchangeInit, KnownOffer, RemoteOffer } from '../../../../src/holepunch/exchange.ts'

const LIMIT = { timeout: 20_000 }
const OURS = multiaddr('/ip4/11.0.0.1/tcp/4001')
const THEIRS = '/ip4/22.0.0.1/tcp/4002'

// written by hand from the specification's protobuf: length, type, addresses
const OUR_CONNECT = '0c' + '0864' + '1208' + '040b000001' + '060fa1'
const THEIR_CONNECT = '0c' + '0864' + '1208' + '0416000001' + '060fa2'
// field 1001, which others skip
const REACHABLE = 'ca3e08' + '0416000001' + '060fa2'
const THEIR_REACHABLE_CONNECT = '17' + THEIR_CONNECT.slice(2) + REACHABLE
const SYNC = '03' + '08ac02'
const NEGOTIATION = Buffer.from('\x13/multistream/1.0.0\n\x0e/libp2p/dcutr\n').toString('hex')

const KNOWN: KnownOffer = {
  offer: { addrs: [multiaddr(THEIRS)], reachable: [], unknownFields: [] },
  rttMs: 2,
}

const { signal } = new AbortController()

interface Remote {
  circuit: Connection
  /** Ours, for the side that answers. */
  stream: Stream
  /** What our side has sent so far. */
  sent: () => string
  /** Resolves when our side has sent this much. */
  receives: (frames: string) => Promise<void>
  send: (frames: string) => void
  abort: () => void
  reset: Promise<void>
}

async function remote(): Promise<Remote> {
  const [ours, theirs] = await streamPair()
  let received = Buffer.alloc(0)
  let onData = (): void => {}
  theirs.addEventListener('message', (event: StreamMessageEvent) => {
    received = Buffer.concat([received, event.data.subarray()])
    onData()
  })
  const reset = new Promise<void>(resolve =>
    theirs.addEventListener('close', () => resolve(), { once: true }),
  )
  const sent = (): string => received.toString('hex')
  const circuit = {
    status: 'open',
    remotePeer: { toString: () => 'remote' },
    muxer: { createStream: async () => ours },
  } as unknown as Connection
  return {
    circuit,
    stream: ours,
    sent,
    reset,
    abort: () => theirs.abort(new Error('no')),
    send: frames => void theirs.send(Buffer.from(frames, 'hex')),
    receives: async frames =>
      new Promise(resolve => {
        onData = () => {
          if (sent() === frames) resolve()
        }
        onData()
      }),
  }
}

function initOf(circuit: Connection, heard: RemoteOffer[] = []): ExchangeInit<string> {
  return {
    circuit,
    offer: () => ({ addrs: [OURS], reachable: [] }),
    plan: theirs => {
      heard.push(theirs)
      return theirs.addrs.map(String).join()
    },
  }
}

/** A clock by which round trips are measured; it stands still until it is set. */
function mockClock(t: TestContext): { ms: number } {
  const clock = { ms: 0 }
  t.mock.method(performance, 'now', () => clock.ms)
  return clock
}

describe('a responder', () => {
  it('sends CONNECT, receives CONNECT, sends SYNC, and dials after half a round trip', LIMIT, async t => {
    const { circuit, receives, send } = await remote()
    const now = performance.now.bind(performance)
    const clock = mockClock(t)
    const exchange = openExchange(initOf(circuit), { signal })
    await receives(NEGOTIATION + OUR_CONNECT)
    clock.ms += 100
    send(NEGOTIATION + THEIR_CONNECT)
    await receives(NEGOTIATION + OUR_CONNECT + SYNC)
    const syncAt = now()
    const { plan, rttMs } = await exchange
    assert.deepEqual([plan, rttMs], [THEIRS, 100])
    assert.ok(now() - syncAt >= rttMs / 2 - 5)
  })

  it('learns where the remote can be dialled without a punch, before it sends SYNC', LIMIT, async () => {
    const { circuit, receives, send } = await remote()
    const dialled = Promise.withResolvers<void>()
    const reachable = Promise.withResolvers<string[]>()
    const beforeSync: ExchangeInit<string>['beforeSync'] = async theirs => {
      reachable.resolve(theirs.reachable.map(String))
      await dialled.promise
    }
    const exchange = openExchange({ ...initOf(circuit), beforeSync }, { signal })
    send(NEGOTIATION + THEIR_REACHABLE_CONNECT)
    assert.deepEqual(await reachable.promise, [THEIRS])
    await receives(NEGOTIATION + OUR_CONNECT)
    dialled.resolve()
    await exchange
    await receives(NEGOTIATION + OUR_CONNECT + SYNC)
  })

  it('resets the stream and sends no SYNC when a plain dial was enough', LIMIT, async () => {
    const { circuit, send, sent, reset } = await remote()
    const beforeSync = async (): Promise<void> => {
      throw new HolePunchFailedError('stopped', 'remote')
    }
    const exchange = openExchange({ ...initOf(circuit), beforeSync }, { signal })
    send(NEGOTIATION + THEIR_REACHABLE_CONNECT)
    await assert.rejects(exchange, { name: 'HolePunchFailedError', reason: 'stopped' })
    await reset
    assert.equal(sent(), NEGOTIATION + OUR_CONNECT)
  })

  it('sends SYNC without an answer where it knows what the remote offers', LIMIT, async () => {
    const { circuit, receives } = await remote()
    const heard: RemoteOffer[] = []
    const exchange = openExchange({ ...initOf(circuit, heard), known: Promise.resolve(KNOWN) }, { signal })
    const { plan, rttMs, confirmed } = await exchange
    await receives(NEGOTIATION + OUR_CONNECT + SYNC)
    assert.deepEqual([plan, rttMs, heard], [THEIRS, 2, [KNOWN.offer]])
    assert.ok(confirmed instanceof Promise)
  })

  it('takes what it knows while it waits for the answer', LIMIT, async () => {
    const { circuit, receives } = await remote()
    const known = Promise.withResolvers<KnownOffer>()
    const exchange = openExchange({ ...initOf(circuit), known: known.promise }, { signal })
    await receives(NEGOTIATION + OUR_CONNECT)
    known.resolve(KNOWN)
    assert.equal((await exchange).plan, THEIRS)
  })

  it('takes the answer where that comes first', LIMIT, async () => {
    const { circuit, receives, send } = await remote()
    const exchange = openExchange({ ...initOf(circuit), known: new Promise(() => {}) }, { signal })
    await receives(NEGOTIATION + OUR_CONNECT)
    send(NEGOTIATION + THEIR_CONNECT)
    assert.equal((await exchange).plan, THEIRS)
  })

  const later: Array<[title: string, act: (remote: Remote) => void, fails: boolean]> = [
    ['agrees', ({ send }) => send(NEGOTIATION + THEIR_CONNECT), false],
    ['resets the stream', ({ abort }) => abort(), true],
    [
      'refuses the protocol',
      ({ send }) => send(Buffer.from('\x13/multistream/1.0.0\n\x03na\n').toString('hex')),
      true,
    ],
    ['answers with something else', ({ send }) => send(NEGOTIATION + SYNC), true],
  ]
  for (const [title, act, fails] of later)
    it(`learns after its SYNC when the remote ${title}`, LIMIT, async () => {
      const each = await remote()
      const exchange = openExchange({ ...initOf(each.circuit), known: Promise.resolve(KNOWN) }, { signal })
      const { confirmed } = await exchange
      await each.receives(NEGOTIATION + OUR_CONNECT + SYNC)
      act(each)
      if (fails) await assert.rejects(confirmed!, { name: 'HolePunchFailedError' })
      else await confirmed
    })

  it('reports a remote that does not speak DCUtR', LIMIT, async () => {
    const { circuit, send } = await remote()
    const exchange = openExchange(initOf(circuit), { signal })
    send(Buffer.from('\x13/multistream/1.0.0\n\x03na\n').toString('hex'))
    await assert.rejects(exchange, { name: 'HolePunchFailedError', reason: 'not-supported' })
  })
})

describe('an initiator', () => {
  it('sends where it can be dialled without a punch', LIMIT, async () => {
    const { circuit, stream, receives, send } = await remote()
    const offer = { addrs: [multiaddr(THEIRS)], reachable: [multiaddr(THEIRS)] }
    const exchange = answerExchange({ ...initOf(circuit), offer: () => offer }, stream, { signal })
    send(OUR_CONNECT)
    await receives(THEIR_REACHABLE_CONNECT)
    send(SYNC)
    await exchange
  })

  it('receives CONNECT, sends CONNECT, and dials when SYNC comes', LIMIT, async t => {
    const { circuit, stream, receives, send } = await remote()
    const clock = mockClock(t)
    const exchange = answerExchange(initOf(circuit), stream, { signal })
    send(THEIR_CONNECT)
    await receives(OUR_CONNECT)
    clock.ms += 50
    send(SYNC)
    const { plan, rttMs } = await exchange
    assert.deepEqual([plan, rttMs], [THEIRS, 50])
  })

  it('keeps fields that it does not know, and passes over addresses that it cannot read', LIMIT, async () => {
    const { circuit, stream, receives, send } = await remote()
    const heard: RemoteOffer[] = []
    const exchange = answerExchange(initOf(circuit, heard), stream, { signal })
    // fields 3 (a varint) and 100 (bytes), and an address of 1 byte
    send('17' + '0864' + '1208' + '0416000001' + '060fa2' + '1201ff' + '1807' + 'a20603616263')
    await receives(OUR_CONNECT)
    send(SYNC)
    await exchange
    assert.deepEqual(heard[0]?.addrs.map(String), [THEIRS])
    assert.deepEqual(
      heard[0]?.unknownFields.map(it => Buffer.from(it).toString('hex')),
      ['1807', 'a20603616263'],
    )
  })

  const wrong: Array<[title: string, frames: string]> = [
    ['a SYNC before the CONNECT', SYNC],
    ['an unknown type', '02' + '084d'],
    ['a message without a type', '00'],
    ['a length of three bytes', '808001'],
    ['a length without an end', '80'.repeat(64)],
    ['more than 4 KiB', '8120' + '00'.repeat(4097)],
    ['a field that reaches beyond the message', '04' + '0864' + '12ff'],
    ['a type of the wrong wire type', '03' + '0a0164'],
  ]
  for (const [title, frames] of wrong) {
    it(`resets the stream at ${title}`, LIMIT, async () => {
      const { circuit, stream, send, sent, reset } = await remote()
      const exchange = answerExchange(initOf(circuit), stream, { signal })
      send(frames)
      await assert.rejects(exchange, { name: 'HolePunchFailedError', reason: 'protocol' })
      await reset
      assert.equal(sent(), '')
    })
  }

  it('resets the stream when it is told to stop', LIMIT, async () => {
    const { circuit, stream, reset } = await remote()
    const stopping = new AbortController()
    const exchange = answerExchange(initOf(circuit), stream, { signal: stopping.signal })
    stopping.abort(new Error('stopped'))
    await assert.rejects(exchange, { name: 'HolePunchFailedError', reason: 'protocol' })
    await reset
  })
})

describe('the messages', () => {
  it('are those of the specification', () => {
    assert.equal(DCUTR_PROTOCOL, '/libp2p/dcutr')
    assert.equal(Buffer.from(HolePunchMessage.encode({ type: 300, addrs: [] })).toString('hex'), '08ac02')
  })

  it('have less than 4 KiB with the longest offer, of a host with hundreds of addresses of both families', () => {
    const crowd = Array.from({ length: 600 }, (_, i) => [
      multiaddr(`/ip6/2a00:ffff:ffff:ffff:ffff:ffff:ffff:${(i + 1).toString(16)}/tcp/65535`),
      multiaddr(`/ip4/11.0.${i >> 8}.${i & 255}/tcp/65535`),
    ]).flat()
    const local = { observed: crowd, announced: crowd, listening: crowd, reachable: crowd }
    const addrs = offerTo(
      local,
      RemoteCandidates.from([crowd[0]!], { ...local, observed: [], announced: [], listening: [] }),
    )
    const reachable = reachableCandidates(local)
    const message = { type: 100, addrs: addrs.map(it => it.bytes), reachable: reachable.map(it => it.bytes) }
    assert.deepEqual([addrs.length, reachable.length], [8, 8])
    assert.ok(HolePunchMessage.encode(message).byteLength < 4096)
  })
})
