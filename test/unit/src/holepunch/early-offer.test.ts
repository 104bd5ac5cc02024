/** The early offer of an initiator: what goes over the wire, and when a responder relies on it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { EARLY_OFFER_PROTOCOL, EarlyOffer } from '../../../../src/holepunch/early-offer.ts'
import { LossyPaths } from '../../../../src/holepunch/paths/lossy-paths.ts'
import { measureCircuits } from '../../../../src/holepunch/circuit-round-trip.ts'
import { Plans } from '../../../../src/holepunch/plans.ts'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { LocalAddresses } from '../../../../src/holepunch/candidates.ts'
import type { PunchRole } from '../../../../src/holepunch/events.ts'

const LIMIT = { timeout: 20_000 }
const REMOTE = peerIdFromString('12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi')
const THEIRS = '/ip4/22.0.0.1/tcp/4002'
const NEGOTIATION = Buffer.from('\x13/multistream/1.0.0\n\x21/throughnat/libp2p/dcutr/offer/1\n')
const REFUSAL = Buffer.from('\x13/multistream/1.0.0\n\x03na\n')
// written by hand from the specification's protobuf: length, type, one address
const OUR_CONNECT = Buffer.from('0c' + '0864' + '1208' + '040b000001' + '060fa1', 'hex')
const THEIR_CONNECT = Buffer.from('0c' + '0864' + '1208' + '0416000001' + '060fa2', 'hex')

const NOWHERE: LocalAddresses = { observed: [], listening: [], announced: [], reachable: [] }
const OURS = localAt('/ip4/11.0.0.1/tcp/4001')

function localAt(addr: string): LocalAddresses {
  return { ...NOWHERE, observed: [multiaddr(addr)] }
}

interface Stage {
  early: EarlyOffer
  ours: Stream
  theirs: Stream
  lossyPaths: LossyPaths
  over: AbortController
  /** Resolves when our side has sent so many bytes, with them. */
  receives: (byteLength: number) => Promise<Buffer>
}

/** The round trip of the circuit's handshake is measured where `rttMs` is given. */
async function stage(
  role: PunchRole,
  { local = OURS, rttMs }: { local?: LocalAddresses; rttMs?: number } = {},
): Promise<Stage> {
  const [ours, theirs] = await streamPair()
  const circuit = {
    status: 'open',
    remotePeer: REMOTE,
    timeline: rttMs === undefined ? {} : await measuredTimeline(rttMs),
    muxer: { createStream: async () => ours },
  } as unknown as Connection
  let received = Buffer.alloc(0)
  let onData = (): void => {}
  theirs.addEventListener('message', ({ data }: StreamMessageEvent) => {
    received = Buffer.concat([received, data.subarray()])
    onData()
  })
  const lossyPaths = new LossyPaths()
  const relayOf = (): { host: string; port: number } => ({ host: '33.0.0.1', port: 4001 })
  const plans = new Plans({ circuit, role, lossyPaths, relayOf, isNamed: () => false })
  const over = new AbortController()
  const log = Object.assign(() => {}, { trace: () => {} }) as never
  const init = { circuit, plans, signal: over.signal, log, exchangeTimeoutMs: 5_000 }
  const early = new EarlyOffer({ ...init, observed: async () => {}, localAddresses: () => local })
  const receives = async (byteLength: number): Promise<Buffer> =>
    new Promise(resolve => {
      onData = () => {
        if (received.byteLength >= byteLength) resolve(received)
      }
      onData()
    })
  return { early, ours, theirs, lossyPaths, over, receives }
}

/** What a circuit's handshake with this round trip leaves. */
async function measuredTimeline(rttMs: number): Promise<object> {
  const socket = {
    remoteAddr: multiaddr(`/ip4/33.0.0.1/tcp/4001/p2p/${REMOTE}/p2p-circuit/p2p/${REMOTE}`),
    timeline: {},
    send: () => true,
    onData: () => {},
  }
  const upgrader = {
    upgradeInbound: async ({ send, onData }: typeof socket): Promise<void> => {
      const now = performance.now.bind(performance)
      send()
      performance.now = () => now() + rttMs
      onData()
      performance.now = now
    },
  }
  measureCircuits(upgrader as never)
  await upgrader.upgradeInbound(socket)
  return socket.timeline
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol('waiting')
  const turn = new Promise(resolve => setImmediate(() => resolve(waiting)))
  return (await Promise.race([promise, turn])) === waiting
}

describe('an initiator', () => {
  it('sends its CONNECT along with the negotiation, and waits until the remote closes', LIMIT, async () => {
    const { early, ours, theirs, receives } = await stage('initiator')
    const sent = early.send()
    const expected = Buffer.concat([NEGOTIATION, OUR_CONNECT])
    assert.deepEqual(await receives(expected.byteLength), expected)
    assert.deepEqual([ours.writeStatus, early.rttMs], ['writable', undefined])
    theirs.send(NEGOTIATION)
    await theirs.close()
    await sent
    assert.notEqual(ours.writeStatus, 'writable')
    assert.ok(early.rttMs !== undefined)
  })

  it('goes on when the remote refuses the protocol', LIMIT, async () => {
    const { early, ours, theirs, receives } = await stage('initiator')
    const sent = early.send()
    await receives(NEGOTIATION.byteLength)
    theirs.send(REFUSAL)
    await sent
    assert.equal(ours.status, 'aborted')
  })

  it('ends when the upgrade is over', LIMIT, async () => {
    const { early, theirs, over, receives } = await stage('initiator')
    const sent = early.send()
    await receives(NEGOTIATION.byteLength)
    theirs.send(NEGOTIATION)
    over.abort(new Error('over'))
    await theirs.close()
    await sent
  })

  it('sends nothing where it has no public address, or a path to the remote is lossy', LIMIT, async () => {
    const blind = await stage('initiator', { local: NOWHERE })
    await blind.early.send()
    const private_ = await stage('initiator', { local: localAt('/ip4/192.168.1.2/tcp/4001') })
    await private_.early.send()
    const lossy = await stage('initiator')
    lossy.lossyPaths.note(REMOTE, multiaddr(THEIRS), 'no-full-packet')
    await lossy.early.send()
    for (const { ours } of [blind, private_, lossy]) {
      ours.send(Buffer.of(1))
      assert.equal(ours.status, 'open')
    }
    assert.deepEqual(
      await Promise.all([blind, private_, lossy].map(async it => it.receives(1))),
      Array.from({ length: 3 }, () => Buffer.of(1)),
    )
  })
})

describe('a responder', () => {
  it('knows what it needs for its SYNC: the offer, and the round trip of the handshake', LIMIT, async () => {
    const { early, ours, theirs } = await stage('responder', { rttMs: 1_000 })
    const known = early.known(OURS)
    theirs.send(THEIR_CONNECT)
    await early.receive(ours)
    const { offer, rttMs } = await known
    assert.deepEqual(offer.addrs.map(String), [THEIRS])
    assert.ok(rttMs >= 1_000 && rttMs < 1_500, `${rttMs} ms`)
    assert.notEqual(ours.writeStatus, 'writable')
  })

  const unusable: Array<[why: string, local: LocalAddresses, rttMs: number | undefined]> = [
    ['the round trip is not known', OURS, undefined],
    ['both are behind one NAT, so that private addresses follow', localAt('/ip4/22.0.0.1/tcp/4001'), 50],
    ['it has no public address itself', NOWHERE, 50],
  ]
  for (const [why, local, rttMs] of unusable)
    it(`waits for the exchange where ${why}`, LIMIT, async () => {
      const { early, ours, theirs } = await stage('responder', rttMs === undefined ? {} : { rttMs })
      const known = early.known(local)
      theirs.send(THEIR_CONNECT)
      await early.receive(ours)
      assert.ok(await isPending(known))
    })

  it('waits for the exchange where the path to an address is lossy', LIMIT, async () => {
    const { early, ours, theirs, lossyPaths } = await stage('responder', { rttMs: 50 })
    lossyPaths.note(REMOTE, multiaddr(THEIRS), 'no-full-packet')
    theirs.send(THEIR_CONNECT)
    await early.receive(ours)
    assert.ok(await isPending(early.known(OURS)))
  })

  const wrong: Array<[title: string, frames: string]> = [
    ['a SYNC', '03' + '08ac02'],
    ['a message without a type', '00'],
    ['a length without an end', '80'.repeat(64)],
    ['more than 4 KiB', '8120' + '00'.repeat(4097)],
    ['a field that reaches beyond the message', '04' + '0864' + '12ff'],
  ]
  for (const [title, frames] of wrong)
    it(`resets the stream at ${title}, and waits for the exchange`, LIMIT, async () => {
      const { early, ours, theirs } = await stage('responder', { rttMs: 50 })
      theirs.send(Buffer.from(frames, 'hex'))
      await early.receive(ours)
      assert.equal(ours.status, 'aborted')
      assert.ok(await isPending(early.known(OURS)))
    })

  const useless: Array<[title: string, frames: string]> = [
    ['no address', '02' + '0864'],
    ['only an address on loopback', '0c' + '0864' + '1208' + '047f000001' + '060fa2'],
    ['only a private address', '0c' + '0864' + '1208' + '04c0a80102' + '060fa2'],
    ["only this node's own address", OUR_CONNECT.toString('hex')],
  ]
  for (const [title, frames] of useless)
    it(`waits for the exchange at ${title}`, LIMIT, async () => {
      const { early, ours, theirs } = await stage('responder', { rttMs: 50 })
      theirs.send(Buffer.from(frames, 'hex'))
      await early.receive(ours)
      assert.ok(await isPending(early.known(OURS)))
    })
})

it('the protocol of an early offer has this name, which the bound on requests names, too', () => {
  assert.equal(EARLY_OFFER_PROTOCOL, '/throughnat/libp2p/dcutr/offer/1')
})
