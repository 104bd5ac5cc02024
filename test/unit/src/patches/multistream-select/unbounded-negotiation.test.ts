import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as mss from '@libp2p/multistream-select'
import { streamPair } from '@libp2p/utils'
import {
  boundNegotiations,
  boundStreams,
  negotiationBounds,
} from '../../../../../src/patches/multistream-select/unbounded-negotiation.ts'
import { startNode } from '../libp2p/node.ts'
import { once } from '../../../../waits.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Connection, Stream, StreamMuxer } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { TestContext } from 'node:test'
import type { NegotiationComponents } from '../../../../../src/patches/multistream-select/unbounded-negotiation.ts'

const LIMIT = { timeout: 30_000 }
const PROTOCOL = '/test/1'

/** The lengths that no line of a negotiation has. */
const WRONG_LENGTHS: ReadonlyArray<[string, number[]]> = [
  ['has no end', Array.from({ length: 64 }, () => 0x80)],
  ['has eight bytes, and zeros after them', [...Array.from({ length: 8 }, () => 0x80), 0, 0, 0, 0]],
  ['has three bytes', [0x80, 0x80, 0x01]],
  ['is not minimal', [0x80, 0x00]],
  ['is one more than the longest line', [0x81, 0x08]],
  ['is zero', [0x00]],
]

const line = (text: string): Buffer => Buffer.concat([Buffer.of(text.length + 1), Buffer.from(`${text}\n`)])
const HEADER = line('/multistream/1.0.0')

describe('mss.handle of @libp2p/multistream-select', LIMIT, () => {
  it('reads a length that has no end, which is the fault', async () => {
    const [near, far] = await streamPair()
    near.send(Buffer.alloc(64, 0x80))
    const reading = mss.handle(far, PROTOCOL, { signal: AbortSignal.timeout(500) })
    await assert.rejects(reading, { name: 'TimeoutError' })
  })
})

describe('negotiationBounds()', LIMIT, () => {
  for (const [what, bytes] of WRONG_LENGTHS)
    it(`ends a negotiation in which a length ${what}`, async () => {
      for (const before of [Buffer.alloc(0), HEADER]) {
        const [near, far] = await streamPair()
        near.send(Buffer.concat([before, Buffer.from(bytes)]))
        const signal = AbortSignal.timeout(5_000)
        const reading = mss.handle(far, PROTOCOL, { signal, ...negotiationBounds(8) })
        await assert.rejects(reading, ({ name }: Error) => name.startsWith('Invalid'))
      }
    })

  it('ends a negotiation of too many lines', async () => {
    const [near, far] = await streamPair()
    near.send(Buffer.concat([HEADER, ...Array.from({ length: 8 }, () => line('/other/1'))]))
    const signal = AbortSignal.timeout(5_000)
    const reading = mss.handle(far, PROTOCOL, { signal, ...negotiationBounds(8) })
    await assert.rejects(reading, /more than 8 lines/)
  })

  it('lets the longest negotiation pass, and what follows it', async () => {
    const [near, far] = await streamPair()
    const proposals = Array.from({ length: 6 }, () => line('/other/1'))
    near.send(Buffer.concat([HEADER, ...proposals, line(PROTOCOL), Buffer.alloc(64, 0x80)]))
    assert.equal(await mss.handle(far, PROTOCOL, negotiationBounds(8)), PROTOCOL)
    assert.equal(far.readBufferLength, 64)
  })
})

describe('boundNegotiations()', LIMIT, () => {
  for (const [what, bytes] of WRONG_LENGTHS) {
    it(`ends a stream that the remote opens when a length ${what}`, async t => {
      const { toUs } = await connect(t)
      const stream = await toUs.muxer.createStream()
      const reset = once(stream, 'close', { signal: AbortSignal.timeout(5_000) })
      stream.send(Buffer.from(bytes))
      await reset
      assert.equal(stream.status, 'reset')
    })

    it(`ends a stream that this side opens when a length ${what}`, async t => {
      const { toUs, fromUs } = await connect(t)
      toUs.muxer.addEventListener('stream', ({ detail }) => detail.send(Buffer.from(bytes)))
      for (const protocols of [PROTOCOL, [PROTOCOL, '/test/2']])
        await assert.rejects(
          fromUs.newStream(protocols, { signal: AbortSignal.timeout(5_000) }),
          ({ name }: Error) => name.startsWith('Invalid'),
        )
    })
  }

  it('ends a connection on which too many proposals fail, over many streams', async t => {
    const { toUs } = await connect(t)
    const closed = once(toUs, 'close', { signal: AbortSignal.timeout(10_000) })
    for (let n = 0; n < 20 && toUs.status === 'open'; n++) {
      const stream = await toUs.muxer.createStream()
      stream.send(Buffer.concat([HEADER, ...Array.from({ length: 31 }, () => line('/other/1'))]))
    }
    await closed
  })

  it('ends a connection on which a request is made again and again', async t => {
    const { toUs } = await connect(t, '/ipfs/ping/1.0.0')
    const closed = once(toUs, 'close', { signal: AbortSignal.timeout(10_000) })
    for (let n = 0; n < 400 && toUs.status === 'open'; n++) {
      const stream = await toUs.muxer.createStream()
      stream.send(Buffer.concat([HEADER, line('/ipfs/ping/1.0.0')]))
      await once(stream, 'close', { signal: AbortSignal.timeout(5_000) })
    }
    await closed
  })

  it('lets any number of streams of other protocols pass', async t => {
    const { toUs } = await connect(t)
    for (let n = 0; n < 400; n++) await toUs.newStream(PROTOCOL, { signal: AbortSignal.timeout(5_000) })
    assert.equal(toUs.status, 'open')
  })

  it('patches a node once', async t => {
    await startNode(t, components => {
      const given = components as unknown as NegotiationComponents
      const upgrade = (): unknown => Reflect.get(given.upgrader, 'upgradeInbound')
      boundNegotiations(given)
      const patched = upgrade()
      boundNegotiations(given)
      assert.equal(upgrade(), patched)
    })
  })

  refusesWithout('libp2p', { upgradeInbound: () => {}, upgradeOutbound: () => {} }, upgrader =>
    boundNegotiations({ upgrader } as unknown as NegotiationComponents),
  )
})

describe('boundStreams()', () => {
  const muxer = { addEventListener: () => {}, removeEventListener: () => {} }
  const members = {
    newStream: async () => {},
    onIncomingStream: async () => {},
    'muxer.addEventListener': muxer.addEventListener,
    'muxer.removeEventListener': muxer.removeEventListener,
  }
  refusesWithout('libp2p', members, connection =>
    boundStreams(connection, { getProtocols: () => [] } as unknown as Registrar),
  )

  it('leaves a connection alone that is not multiplexed', () => {
    boundStreams({} as Connection, { getProtocols: () => [] } as unknown as Registrar)
  })
})

type Muxed = Connection & { muxer: StreamMuxer }

/** Connects a stock node to one that is patched. */
async function connect(t: TestContext, protocol = PROTOCOL): Promise<{ toUs: Muxed; fromUs: Muxed }> {
  const patch = (components: unknown): void => boundNegotiations(components as NegotiationComponents)
  const { node: ours } = await startNode(t, patch)
  const { node: remote } = await startNode(t)
  await ours.handle(protocol, (stream: Stream) => stream.abort(new Error('not read')))
  const accepted = new Promise<Muxed>(resolve =>
    ours.addEventListener('connection:open', ({ detail }) => resolve(detail as Muxed), { once: true }),
  )
  const toUs = (await remote.dial(ours.getMultiaddrs())) as Muxed
  return { toUs, fromUs: await accepted }
}
