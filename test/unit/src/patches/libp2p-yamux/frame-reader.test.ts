/** Small frames of data that come together, joined by their streams. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrameReader } from '../../../../../src/patches/libp2p-yamux/frame-reader.ts'
import type { FrameHeader } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const [DATA, WINDOW] = [0, 1]
const [SYN, FIN, RST] = [1, 4, 8]

function frame(streamID: number, text: string, { type = DATA, flag = 0 } = {}): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flag, 2)
  header.writeUInt32BE(streamID, 4)
  header.writeUInt32BE(text.length, 8)
  return Buffer.concat([header, Buffer.from(type === DATA ? text : '')])
}

/** What comes of some pieces: each frame as its stream, its data, and its flags if it has any. */
function read(...pieces: readonly Buffer[]): { frames: string[]; headers: FrameHeader[] } {
  const headers: FrameHeader[] = []
  const reader = new FrameReader({ onHeader: header => headers.push(header), onPartial: () => {} })
  const frames: string[] = []
  for (const piece of pieces) {
    reader.push(piece)
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      const { streamID, flag, length } = next.header
      const data = next.data === undefined ? '-' : Buffer.from(next.data.subarray()).toString()
      assert.equal(next.data?.byteLength ?? length, length)
      frames.push(`${streamID} ${data}${flag === 0 ? '' : ` ${flag}`}`)
    }
  }
  return { frames, headers }
}

const all = (...frames: readonly Buffer[]): Buffer => Buffer.concat(frames)

describe('frames that come together', () => {
  it('are joined by their streams, each in its order', () => {
    const { frames } = read(all(frame(1, 'a'), frame(3, 'x'), frame(1, 'b'), frame(5, 'k'), frame(3, 'y')))
    assert.deepEqual(frames, ['1 ab', '3 xy', '5 k'])
  })

  it('are each counted', () => {
    const { headers } = read(all(frame(1, 'a'), frame(3, ''), frame(1, 'b'), frame(3, '')))
    assert.deepEqual(
      headers.map(({ streamID, length }) => [streamID, length]),
      [
        [1, 1],
        [3, 0],
        [1, 1],
        [3, 0],
      ],
    )
  })

  for (const [what, flag] of [
    ['opens', SYN],
    ['ends', FIN],
    ['resets', RST],
  ] as const)
    it(`are not moved over one that ${what} a stream`, () => {
      const { frames } = read(all(frame(1, 'a'), frame(3, 'x', { flag }), frame(1, 'b'), frame(3, 'y')))
      assert.equal(frames[0], '1 a')
      assert.ok(frames[1]?.startsWith('3 x'), frames.join())
      assert.ok(frames.indexOf('1 b') > 1)
    })

  it('are joined with one that opens their stream', () => {
    const { frames } = read(all(frame(1, 'a', { flag: SYN }), frame(3, 'x'), frame(1, 'b')))
    assert.deepEqual(frames, ['1 ab 1', '3 x'])
  })

  it('are not moved over a window update, or a large one', () => {
    const large = 'z'.repeat(1025)
    const { frames } = read(
      all(frame(1, 'a'), frame(3, '', { type: WINDOW }), frame(1, 'b'), frame(3, large), frame(1, 'c')),
    )
    assert.deepEqual(frames, ['1 a', '3 -', '1 b', `3 ${large}`, '1 c'])
  })

  for (const cut of [1, 5, 12, 13, 14, 20, 25, 26, 30])
    it(`are read in whatever pieces they come: cut at ${cut}`, () => {
      const bytes = all(frame(1, 'a'), frame(3, 'x'), frame(1, 'b'), frame(3, 'y'))
      const { frames } = read(bytes.subarray(0, cut), bytes.subarray(cut))
      const of = (id: number): string =>
        frames
          .filter(it => it.startsWith(`${id} `))
          .map(it => it.slice(2))
          .join('')
      assert.deepEqual([of(1), of(3)], ['ab', 'xy'])
    })
})
