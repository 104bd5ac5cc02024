/**
 * The messages of circuit-relay v2, byte for byte, and what is no message.
 *
 * The bytes were written by a few lines of another program, from the protobuf in the specification.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publicKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import {
  HopMessage,
  ReservationVoucher,
  Status,
  StopMessage,
} from '../../../../src/protocols/circuit-relay/messages.ts'
import { sealVoucher } from '../../../../src/protocols/circuit-relay/voucher.ts'
import { ephemeralIdentity } from '../../../../src/files/identity.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

const [privateKey, otherKey] = await Promise.all([ephemeralIdentity(), ephemeralIdentity()])

const id = hex('aabbcc')
const addrs = [hex('047f000001060fa1'), hex('040b16212c060fa1')]
const limit = { duration: 120, data: 131_072 }
const reservation = { expire: 1_700_000_000, addrs, voucher: hex('c0ffee') }

const hopMessages: Array<[string, HopMessage, string]> = [
  ['RESERVE', { type: 0 }, '0800'],
  ['CONNECT', { type: 1, peer: { id } }, '080112050a03aabbcc'],
  [
    'CONNECT with addresses',
    { type: 1, peer: { id, addrs } },
    '080112190a03aabbcc1208047f000001060fa11208040b16212c060fa1',
  ],
  [
    'STATUS with a reservation and a limit',
    { type: 2, reservation, limit, status: 100 },
    '08021a1f0880e2cfaa061208047f000001060fa11208040b16212c060fa11a03c0ffee22060878108080082864',
  ],
  [
    'STATUS with a reservation',
    { type: 2, reservation, status: 100 },
    '08021a1f0880e2cfaa061208047f000001060fa11208040b16212c060fa11a03c0ffee2864',
  ],
  ['STATUS with a limit', { type: 2, limit, status: 100 }, '080222060878108080082864'],
  [
    'STATUS with the largest limit that a number holds',
    { type: 2, limit: { duration: 2 ** 32 - 1, data: Number.MAX_SAFE_INTEGER }, status: 100 },
    '0802220f08ffffffff0f10ffffffffffffff0f2864',
  ],
  ['STATUS OK', { type: 2, status: Status.OK }, '08022864'],
  ['STATUS RESERVATION_REFUSED', { type: 2, status: Status.RESERVATION_REFUSED }, '080228c801'],
  ['STATUS RESOURCE_LIMIT_EXCEEDED', { type: 2, status: Status.RESOURCE_LIMIT_EXCEEDED }, '080228c901'],
  ['STATUS PERMISSION_DENIED', { type: 2, status: Status.PERMISSION_DENIED }, '080228ca01'],
  ['STATUS CONNECTION_FAILED', { type: 2, status: Status.CONNECTION_FAILED }, '080228cb01'],
  ['STATUS NO_RESERVATION', { type: 2, status: Status.NO_RESERVATION }, '080228cc01'],
  ['STATUS MALFORMED_MESSAGE', { type: 2, status: Status.MALFORMED_MESSAGE }, '0802289003'],
  ['STATUS UNEXPECTED_MESSAGE', { type: 2, status: Status.UNEXPECTED_MESSAGE }, '0802289103'],
]

const stopMessages: Array<[string, StopMessage, string]> = [
  ['CONNECT', { type: 0, peer: { id } }, '080012050a03aabbcc'],
  ['CONNECT with a limit', { type: 0, peer: { id }, limit }, '080012050a03aabbcc1a06087810808008'],
  ['STATUS OK', { type: 1, status: Status.OK }, '08012064'],
  ['STATUS CONNECTION_FAILED', { type: 1, status: Status.CONNECTION_FAILED }, '080120cb01'],
]

describe('a hop message', () => {
  for (const [name, message, bytes] of hopMessages) {
    it(`${name} is written byte for byte`, () => {
      assert.equal(Buffer.from(HopMessage.encode(message)).toString('hex'), bytes)
    })
    it(`${name} is read`, () => assert.deepEqual(HopMessage.decode(hex(bytes)), message))
  }
})

describe('a stop message', () => {
  for (const [name, message, bytes] of stopMessages) {
    it(`${name} is written byte for byte`, () => {
      assert.equal(Buffer.from(StopMessage.encode(message)).toString('hex'), bytes)
    })
    it(`${name} is read`, () => assert.deepEqual(StopMessage.decode(hex(bytes)), message))
  }
})

describe('a message that others may write otherwise', () => {
  const readings: Array<[string, string, HopMessage]> = [
    ['with nothing in it is empty', '', {}],
    ['without a type has none, rather than the first', '2864', { status: 100 }],
    ['with an unknown type keeps its number', '084d', { type: 77 }],
    ['with an unknown status keeps its number', '080228e707', { type: 2, status: 999 }],
    ['with its fields in another order is the same', '12050a03aabbcc0801', { type: 1, peer: { id } }],
    ['with a field twice has the last', '08000801', { type: 1 }],
    ['with a number in more bytes than it needs is the same', '08818000', { type: 1 }],
    ['with an unknown varint skips it', '0801f80195ffffff7f', { type: 1 }],
    ['with an unknown fixed64 skips it', '0801f9010102030405060708', { type: 1 }],
    ['with unknown bytes skips them', '0801fa0103aabbcc', { type: 1 }],
    ['with an unknown group skips it', '0801fb010801fc01', { type: 1 }],
    ['with an unknown fixed32 skips it', '0801fd0101020304', { type: 1 }],
    [
      'with an unknown field in a nested message skips it',
      '0801120a0a03aabbcc7a03010203',
      { type: 1, peer: { id } },
    ],
    ['with an empty nested message has an empty one', '08011200', { type: 1, peer: {} }],
  ]
  for (const [name, bytes, message] of readings)
    it(name, () => assert.deepEqual(HopMessage.decode(hex(bytes)), message))
})

describe('bytes are refused', () => {
  for (const [name, bytes] of [
    ['with a number where bytes belong', '08011001'],
    ['with bytes where a number belongs', '0a0101'],
    ['with a fixed64 where a number belongs', '090000000000000000'],
    ['with a nested message that reaches beyond the end', '080112060a03aabbcc'],
    ['with bytes that reach beyond their message, though not beyond the end', '080112040a03aabbcc2864'],
    ['with a number that reaches beyond its message', '08022202088028642864'],
    ['with a length of 4 GiB', '080112ffffffff0f'],
    ['with a varint of more than ten bytes', '08ffffffffffffffffffffffff01'],
    ['with a uint64 of more than ten bytes', '08021a0c08ffffffffffffffffffff01'],
    ['with a wire type that there is not', '0f00'],
    ['with an unknown field of a wire type that there is not', 'ff0100'],
    ['with an unknown group without an end', 'fb010801'],
    ['with an unknown length beyond the end', 'fa017fff'],
    ['with groups in groups as deep as fit', '7b'.repeat(4096)],
  ] as const)
    it(name, () => assert.throws(() => HopMessage.decode(hex(bytes)), Error))

  for (const [name, , bytes] of hopMessages) {
    it(`that are ${name} without its end, or read as less than it`, () => {
      const whole = HopMessage.decode(hex(bytes))
      for (let length = 0; length < bytes.length / 2; length++) {
        let part: HopMessage
        try {
          part = HopMessage.decode(hex(bytes).subarray(0, length))
        } catch {
          continue
        }
        // a cut between two fields leaves a message with fewer of them: no more can be known
        assert.notDeepEqual(part, whole)
        for (const [key, value] of Object.entries(part))
          assert.deepEqual(whole[key as keyof HopMessage], value)
      }
    })
  }

  it('that end within any field of a nested message', () => {
    const nested = '0801120a0a03aabbcc12031f2f3f'
    assert.deepEqual(HopMessage.decode(hex(nested)), {
      type: 1,
      peer: { id, addrs: [hex('1f2f3f')] },
    })
    for (let length = 3; length < nested.length / 2; length++)
      assert.throws(() => HopMessage.decode(hex(nested).subarray(0, length)), `${length} bytes`)
  })
})

describe('a voucher', () => {
  const [relay, peer] = [peerIdFromPrivateKey(privateKey), peerIdFromPrivateKey(otherKey)]
  const sealed = sealVoucher({ relay, peer, expiresAt: 1_700_000_000, privateKey })

  it('is written byte for byte', () => {
    const message = { relay: id, peer: hex('ddeeff'), expiration: 1_700_000_000 }
    const bytes = '0a03aabbcc1203ddeeff1880e2cfaa06'
    assert.equal(Buffer.from(ReservationVoucher.encode(message)).toString('hex'), bytes)
    assert.deepEqual(ReservationVoucher.decode(hex(bytes)), message)
  })

  it('is signed by the relay, in its domain and with its codec', async () => {
    const envelope = await RecordEnvelope.openAndCertify(await sealed, 'libp2p-relay-rsvp')
    assert.ok(envelope.publicKey.equals(privateKey.publicKey))
    assert.equal(Buffer.from(envelope.payloadType).toString('hex'), '0302')
    assert.deepEqual(ReservationVoucher.decode(envelope.payload), {
      relay: relay.toMultihash().bytes,
      peer: peer.toMultihash().bytes,
      expiration: 1_700_000_000,
    })
  })

  it('begins with the public key, as the message of an envelope does', async () => {
    const bytes = await sealed
    // field 1, 36 bytes: the key as protobuf
    assert.equal(Buffer.from(bytes.subarray(0, 2)).toString('hex'), '0a24')
    assert.ok(publicKeyFromProtobuf(bytes.subarray(2, 38)).equals(privateKey.publicKey))
  })

  it('does not hold in another domain', async () => {
    await assert.rejects(RecordEnvelope.openAndCertify(await sealed, 'libp2p-peer-record'), {
      message: /signature is not valid/,
    })
  })

  it('does not hold when a bit of what it says, or of the signature, is changed', async () => {
    const bytes = Buffer.from(await sealed)
    const { payload, signature } = await RecordEnvelope.openAndCertify(bytes, 'libp2p-relay-rsvp')
    for (const part of [payload, signature]) {
      const start = bytes.indexOf(part)
      assert.ok(start > 0)
      for (let at = start; at < start + part.byteLength; at += 5) {
        const forged = Uint8Array.from(bytes)
        forged[at] = (forged[at] ?? 0) ^ 1
        await assert.rejects(RecordEnvelope.openAndCertify(forged, 'libp2p-relay-rsvp'), `byte ${at}`)
      }
    }
  })
})
