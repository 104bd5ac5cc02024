import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Uint8ArrayList } from 'uint8arraylist'
import {
  CUT_FRAME,
  encodeAck,
  encodeData,
  END_FRAME,
  FrameReader,
} from '../../../../../peer/tunnel/resume/frames.ts'

/** What a reader passes on, in order. */
function read(chunks: readonly (Uint8Array | Uint8ArrayList)[], stopAt?: string): string[] {
  const seen: string[] = []
  const note = (what: string): void => {
    seen.push(what)
    if (what === stopAt) reader.stop()
  }
  const reader = new FrameReader({
    onData: bytes => note(Buffer.from(bytes.subarray()).toString()),
    onAck: ({ received, limit }) => note(`<ack ${received} ${limit}>`),
    onEnd: () => note('<end>'),
    onCut: () => note('<cut>'),
  })
  for (const chunk of chunks) reader.push(chunk)
  return seen
}

const data = (text: string): Buffer =>
  Buffer.from(encodeData(new Uint8ArrayList(Buffer.from(text))).subarray())
const inPieces = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  )

const LARGE = 'l'.repeat(5_000)
const ACK = encodeAck({ received: Number.MAX_SAFE_INTEGER, limit: 1 })
const ALL = Buffer.concat([
  data('one'),
  data(''),
  ACK,
  data('two'),
  data(LARGE),
  data('three'),
  END_FRAME,
  ACK,
  CUT_FRAME,
])

describe('FrameReader', () => {
  for (const size of [1, 2, 16, 4_096, ALL.length])
    it(`reads the same frames in pieces of ${size}`, () => {
      const ack = `<ack ${Number.MAX_SAFE_INTEGER} 1>`
      const expected = `one${ack}two${LARGE}three<end>${ack}<cut>`
      assert.ok(read(inPieces(ALL, size)).join('') === expected)
    })

  it('passes on together what has come together, and copies no large piece', () => {
    const bytes = Buffer.concat([...Array.from({ length: 100 }, () => data('x')), data(LARGE)])
    const [all = '', ...more] = read([new Uint8ArrayList(bytes)])
    assert.deepEqual([all, more], ['x'.repeat(100) + LARGE, []])
  })

  it('makes no call after it was stopped within one', () => {
    assert.deepEqual(read([ALL], 'one'), ['one'])
    assert.deepEqual(read([Buffer.concat([CUT_FRAME, ALL])], '<cut>'), ['<cut>'])
  })

  for (const [what, bytes] of [
    ['an unknown type', Buffer.of(4)],
    ['a position that is no exact number', Buffer.concat([Buffer.of(1), Buffer.alloc(16, 0xff)])],
    ['a second end', Buffer.concat([END_FRAME, END_FRAME])],
  ] as const)
    it(`refuses ${what}, and passes on what came before it`, () => {
      const seen: string[] = []
      const note = (): void => void seen.push('called')
      const reader = new FrameReader({ onData: note, onAck: note, onEnd: () => {}, onCut: note })
      assert.throws(() => reader.push(Buffer.concat([data('one'), bytes])), { name: 'InvalidMessageError' })
      assert.deepEqual(seen, ['called'])
    })
})
