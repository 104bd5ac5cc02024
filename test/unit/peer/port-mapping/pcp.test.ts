/** PCP messages against RFC 6887, and what a gateway or somebody in its name may send instead. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { MappingRefusedError } from '../../../../peer/port-mapping/mapper.ts'
import { readMap, writeMap } from '../../../../peer/port-mapping/pcp.ts'

const nonce = Buffer.from('0102030405060708090a0b0c', 'hex')
const request = { port: 4001, nonce }

/** What a gateway answers that has mapped 203.0.113.7:5000 for two hours. */
function answer(change: (bytes: Buffer) => void = () => {}): Buffer {
  const bytes = Buffer.alloc(60)
  bytes[0] = 2
  bytes[1] = 0x81
  bytes.writeUInt32BE(7200, 4)
  bytes.writeUInt32BE(12, 8)
  bytes.set(nonce, 24)
  bytes[36] = 6
  bytes.writeUInt16BE(4001, 40)
  bytes.writeUInt16BE(5000, 42)
  bytes.set(Buffer.from('00000000000000000000ffffcb007107', 'hex'), 44)
  change(bytes)
  return bytes
}

describe('a request', () => {
  test('is laid out as in RFC 6887, sections 7.1 and 11.1', () => {
    const held = { externalAddress: '203.0.113.7', externalPort: 5000, lifetimeMs: 1 }
    const bytes = writeMap({ address: '192.0.2.33', port: 4001, nonce, seconds: 7200, held })
    assert.equal(
      Buffer.from(bytes).toString('hex'),
      [
        '0201000000001c20',
        '00000000000000000000ffffc0000221',
        '0102030405060708090a0b0c',
        '06000000',
        '0fa11388',
        '00000000000000000000ffffcb007107',
      ].join(''),
    )
  })

  test('suggests the internal port where nothing has been granted yet', () => {
    const bytes = Buffer.from(writeMap({ address: '192.0.2.33', port: 4001, nonce, seconds: 7200 }))
    assert.equal(bytes.readUInt16BE(42), 4001)
    assert.equal(bytes.subarray(44).toString('hex'), '00000000000000000000ffff00000000')
  })

  test('that removes has lifetime 0 and suggests no port', () => {
    const bytes = Buffer.from(writeMap({ address: '192.0.2.33', port: 4001, nonce, seconds: 0 }))
    assert.deepEqual([bytes.readUInt32BE(4), bytes.readUInt16BE(42)], [0, 0])
  })
})

describe('an answer', () => {
  test('tells what was granted', () => {
    assert.deepEqual(readMap(answer(), request), { address: '203.0.113.7', port: 5000, seconds: 7200 })
  })

  const ignored: Record<string, Buffer> = {
    'is empty': Buffer.alloc(0),
    'ends within the header': answer().subarray(0, 23),
    'ends after the header': answer().subarray(0, 24),
    'ends a word too early': answer().subarray(0, 56),
    'is no multiple of four bytes long': Buffer.concat([answer(), Buffer.alloc(1)]),
    'has more than 1100 bytes': Buffer.concat([answer(), Buffer.alloc(1044)]),
    'has another nonce': answer(it => it.fill(0, 24, 36)),
    'is about another port': answer(it => it.writeUInt16BE(4002, 40)),
    'is about UDP': answer(it => it.writeUInt8(17, 36)),
    'is a request': answer(it => it.writeUInt8(0x01, 1)),
    'is to another opcode': answer(it => it.writeUInt8(0x82, 1)),
    'has a version of the future': answer(it => it.writeUInt8(3, 0)),
    'is a refusal with another nonce': answer(it => it.fill(0, 24, 36).writeUInt8(2, 3)),
  }
  for (const [what, bytes] of Object.entries(ignored))
    test(`that ${what} is none`, () => assert.equal(readMap(bytes, request), undefined))

  test('may have options after it', () => {
    assert.equal(readMap(Buffer.concat([answer(), Buffer.alloc(8)]), request)?.port, 5000)
  })

  for (const code of [2, 8, 11, 12, 255])
    test(`with the result ${code} is a refusal`, () => {
      assert.throws(
        () =>
          readMap(
            answer(it => it.writeUInt8(code, 3)),
            request,
          ),
        { name: 'MappingRefusedError', code },
      )
    })

  test('in version 0 is that of a gateway which knows NAT-PMP alone', () => {
    const unsupportedVersion = Buffer.from('0081000100000000', 'hex')
    assert.throws(() => readMap(unsupportedVersion, request), { name: 'MappingRefusedError', code: 1 })
  })

  test('of random bytes does no harm', () => {
    for (let n = 0; n < 20_000; n++) {
      const bytes = randomBytes(n % 80)
      if (n % 2 === 0) bytes.set(Buffer.of(2, 0x81).subarray(0, bytes.length))
      try {
        assert.equal(readMap(bytes, request), undefined)
      } catch (error) {
        assert.ok(error instanceof MappingRefusedError)
      }
    }
  })

  test('with any external address leaves an address to judge', () => {
    for (let n = 0; n < 5_000; n++) {
      const bytes = answer(it => it.set(randomBytes(16), 44))
      assert.equal(typeof readMap(bytes, request)?.address, 'string')
    }
  })
})
