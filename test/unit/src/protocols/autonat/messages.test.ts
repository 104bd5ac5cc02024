/** AutoNAT v2 on the wire, against bytes written down by hand from its protobuf. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DialBack, Message } from '../../../../../src/protocols/autonat/messages.ts'

describe('a nonce', () => {
  for (const [nonce, wire] of [
    [1n, '090100000000000000'],
    [0x8000000000000001n, '090100000000000080'],
    [0xffffffffffffffffn, '09ffffffffffffffff'],
  ] as const)
    it(`${nonce} is eight bytes, the lowest first, and never negative`, () => {
      assert.equal(Buffer.from(DialBack.encode({ nonce })).toString('hex'), wire)
      assert.deepEqual(DialBack.decode(Buffer.from(wire, 'hex')), { nonce })
    })

  it('that is cut short is no message', () => {
    assert.throws(() => DialBack.decode(Buffer.from('0901000000', 'hex')))
  })
})

describe('a message', () => {
  it('holds a dial request', () => {
    const wire = Buffer.from('0a0e0a03010203110200000000000000', 'hex')
    const dialRequest = { addrs: [Buffer.of(1, 2, 3)], nonce: 2n }
    assert.deepEqual(Message.decode(wire), { dialRequest })
    assert.deepEqual(Buffer.from(Message.encode({ dialRequest })), wire)
  })

  it('holds a dial response', () => {
    const dialResponse = { status: 200, addrIdx: 1, dialStatus: 100 }
    const wire = Buffer.from('120708c80110011864', 'hex')
    assert.deepEqual(Message.decode(wire), { dialResponse })
    assert.deepEqual(Buffer.from(Message.encode({ dialResponse })), wire)
  })
})
