import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Uint8ArrayList } from 'uint8arraylist'
import { lengthDecoder } from '../../../../src/protocols/message-bounds.ts'

const decode = (maxBytes: number, ...bytes: number[]): number =>
  lengthDecoder(maxBytes)(new Uint8ArrayList(Uint8Array.from(bytes)))

describe('lengthDecoder()', () => {
  for (const [bytes, length] of [
    [[0], 0],
    [[1], 1],
    [[0x7f], 127],
    [[0x80, 1], 128],
    [[0xff, 0x7f], 16_383],
    [[0x80, 0x80, 1], 16_384],
    [[0xff, 0xff, 0x7f], 2_097_151],
  ] as const)
    it(`reads ${length}`, () => assert.equal(decode(2 ** 21 - 1, ...bytes), length))

  for (const [maxBytes, bytes] of [
    [127, []],
    [16_383, [0x80]],
    [16_384, [0x80, 0x80]],
  ] as const)
    it(`asks for more after ${bytes.length} bytes, where ${maxBytes} are the most`, () =>
      assert.throws(() => decode(maxBytes, ...bytes), { name: 'RangeError' }))

  for (const [maxBytes, bytes] of [
    [127, [0x80]],
    [128, [0x80, 0x80]],
    [16_383, [0xff, 0xff]],
    [16_384, [0x80, 0x80, 0x80]],
    [16_383, [0x80, 0]],
    [16_384, [0xff, 0x80, 0]],
  ] as const)
    it(`refuses ${bytes.length} bytes where ${maxBytes} are the most: ${bytes.join(' ')}`, () =>
      assert.throws(() => decode(maxBytes, ...bytes), { name: 'InvalidMessageError' }))

  it('reads no lengths of four bytes', () => assert.throws(() => lengthDecoder(2 ** 21), RangeError))
})
