import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lpStream, streamPair } from '@libp2p/utils'
import {
  boundMessages,
  boundStockReader,
} from '../../../../../src/patches/libp2p-utils/unbounded-messages.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { MessageStream, Stream } from '@libp2p/interface'

const LIMIT = { timeout: 30_000 }
const BOUNDS = { maxBytes: 300, count: 2 }

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0)
const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(5_000) })

describe('lpStream of @libp2p/utils', LIMIT, () => {
  it('reads on in a length of eight bytes that zeros follow, which is the fault', async () => {
    const [near, far] = await streamPair()
    near.send(Buffer.from([...Array.from({ length: 8 }, () => 0x80), ...zeros(64)]))
    const reading = lpStream(far, { maxDataLength: 300 }).read({ signal: AbortSignal.timeout(500) })
    await assert.rejects(reading, { name: 'TimeoutError' })
  })
})

describe('boundMessages()', LIMIT, () => {
  for (const [what, bytes] of [
    ['has no end', Array.from({ length: 64 }, () => 0x80)],
    ['has eight bytes, and zeros after them', [...Array.from({ length: 8 }, () => 0x80), ...zeros(64)]],
    ['has three bytes where two are enough', [0x80, 0x80, 0x01]],
    ['is not minimal', [0x80, 0x00]],
    ['is one more than it may be', [0xad, 0x02]],
    ['is wrong in the second message', [0x01, 0x61, 0x80, 0x80]],
  ] as const)
    for (const pieceBytes of [bytes.length, 1])
      it(`aborts a stream when a length ${what}, in pieces of ${pieceBytes}`, async () => {
        const [near, far] = await streamPair()
        boundMessages(far, BOUNDS)
        const messages = lpStream(far)
        const reading = (async () => {
          for (;;) await messages.read(soon())
        })()
        for (let at = 0; at < bytes.length; at += pieceBytes)
          near.send(Uint8Array.from(bytes.slice(at, at + pieceBytes)))
        await assert.rejects(reading)
        assert.equal(far.status, 'aborted')
      })

  for (const pieceBytes of [1024, 100, 1])
    it(`passes on messages and what follows them, in pieces of ${pieceBytes}`, async () => {
      const [near, far] = await streamPair()
      boundMessages(far, BOUNDS)
      const [first, second, rest] = [Buffer.alloc(300, 'a'), Buffer.alloc(0), Buffer.alloc(64, 0x80)]
      const sent = Buffer.concat([Buffer.of(0xac, 0x02), first, Buffer.of(0), second, rest])
      for (let at = 0; at < sent.length; at += pieceBytes) near.send(sent.subarray(at, at + pieceBytes))
      const messages = lpStream(far)
      assert.deepEqual(Buffer.from((await messages.read(soon())).subarray()), first)
      assert.equal((await messages.read(soon())).byteLength, 0)
      await until(() => messages.unwrap().readBufferLength === rest.length)
      assert.equal(far.status, 'open')
    })

  it('loses nothing that came before the reader', async () => {
    const [near, far] = await streamPair()
    near.send(Buffer.from('\x05early'))
    await until(() => far.readBufferLength > 0)
    boundMessages(far, BOUNDS)
    await Promise.resolve()
    const message = await lpStream(far).read(soon())
    assert.equal(Buffer.from(message.subarray()).toString(), 'early')
  })

  const members = { addEventListener: () => {}, readBuffer: {} }
  refusesWithout('@libp2p/utils', members, (stream: MessageStream) => boundMessages(stream, BOUNDS))
})

describe('boundStockReader()', LIMIT, () => {
  for (const [direction, protocol, isBounded] of [
    ['outbound', '/ipfs/id/1.0.0', true],
    ['inbound', '/ipfs/id/push/1.0.0', true],
    ['inbound', '/libp2p/circuit/relay/0.2.0/stop', true],
    ['outbound', '/libp2p/circuit/relay/0.2.0/hop', true],
    ['inbound', '/ipfs/id/1.0.0', false],
    ['outbound', '/test/1', false],
  ] as const)
    it(`${isBounded ? 'bounds' : 'leaves alone'} an ${direction} stream of ${protocol}`, async () => {
      const [, far] = await streamPair()
      Object.assign(far, { direction, protocol } satisfies Partial<Stream>)
      boundStockReader(far)
      assert.equal(Object.hasOwn(far, 'addEventListener'), isBounded)
    })
})
