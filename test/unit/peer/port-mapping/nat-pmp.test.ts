/** NAT-PMP messages against RFC 6886, and what may come instead. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { MappingRefusedError, leaseOf } from '../../../../peer/port-mapping/mapper.ts'
import { readExternalAddress, readMapping, writeMapRequest } from '../../../../peer/port-mapping/nat-pmp.ts'

const granted = Buffer.from('00820000000000640fa1138800001c20', 'hex')
const address = Buffer.from('0080000000000064cb007107', 'hex')

describe('a request', () => {
  test('is laid out as in RFC 6886, section 3.3', () => {
    assert.equal(Buffer.from(writeMapRequest(4001, 5000, 7200)).toString('hex'), '000200000fa1138800001c20')
  })
})

describe('an answer', () => {
  test('tells the port and the lifetime', () => {
    assert.deepEqual(readMapping(granted, 4001), { port: 5000, seconds: 7200 })
  })

  test('tells the external address', () => assert.equal(readExternalAddress(address), '203.0.113.7'))

  test('about another port is none', () => assert.equal(readMapping(granted, 4002), undefined))

  test('to another question is none', () => {
    assert.equal(readMapping(address, 4001), undefined)
    assert.equal(readExternalAddress(granted), undefined)
  })

  test('that is cut short is none, wherever', () => {
    for (let length = 0; length < granted.length; length++)
      assert.equal(readMapping(granted.subarray(0, length), 4001), undefined)
    for (let length = 0; length < address.length; length++)
      assert.equal(readExternalAddress(address.subarray(0, length)), undefined)
  })

  test('with a result is a refusal, short as it may be', () => {
    const refusal = Buffer.from('0082000200000000', 'hex')
    assert.throws(() => readMapping(refusal, 4001), { name: 'MappingRefusedError', code: 2 })
  })

  test('of random bytes does no harm', () => {
    for (let n = 0; n < 20_000; n++)
      for (const read of [readExternalAddress, (it: Uint8Array) => readMapping(it, 4001)])
        try {
          const bytes = randomBytes(n % 20)
          if (bytes.length > 1) bytes[0] = 0
          read(bytes)
        } catch (error) {
          assert.ok(error instanceof MappingRefusedError)
        }
  })
})

describe('a lease', () => {
  const terms = { address: '203.0.113.7', port: 5000, seconds: 7200 }

  test('lives as long as was granted', () => assert.equal(leaseOf('pcp', terms).lifetimeMs, 7_200_000))

  test('lives a day at the most', () => {
    assert.equal(leaseOf('pcp', { ...terms, seconds: 0xff_ff_ff_ff }).lifetimeMs, 86_400_000)
  })

  test('of no time, or of port 0, is a refusal', () => {
    assert.throws(() => leaseOf('pcp', { ...terms, seconds: 0 }), MappingRefusedError)
    assert.throws(() => leaseOf('pcp', { ...terms, port: 0 }), MappingRefusedError)
  })
})
