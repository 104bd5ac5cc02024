/**
 * Attacks in signed envelopes: reservation vouchers and peer records
 * (https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md).
 */

import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { field, framed } from '../hop-client.ts'
import { fieldAttacks, lengthAttacks } from './table.ts'
import type { Attack } from './table.ts'

/** Times that a message with an envelope is sent. */
const TIMES = 4

const VOUCHER_TYPE = Buffer.of(0x03, 0x02)
const RECORD_TYPE = Buffer.of(0x03, 0x01)

/** An envelope; each part may be wrong. */
function envelope(parts: {
  key?: Uint8Array
  type?: Uint8Array
  payload?: Uint8Array
  signature?: Uint8Array
}): Buffer {
  const { key, type, payload, signature } = parts
  return Buffer.concat([
    ...(key === undefined ? [] : [field(1, key)]),
    ...(type === undefined ? [] : [field(2, type)]),
    ...(payload === undefined ? [] : [field(3, payload)]),
    ...(signature === undefined ? [] : [field(5, signature)]),
  ])
}

/**
 * Envelopes with each part wrong, in messages.
 *
 * @param messageOf - puts an envelope where it belongs
 * @param longest - of an envelope, in bytes
 */
export async function envelopeAttacks(
  kind: 'voucher' | 'record',
  messageOf: (envelope: Buffer) => Buffer,
  longest: number,
): Promise<Attack[]> {
  const type = kind === 'voucher' ? VOUCHER_TYPE : RECORD_TYPE
  const payload = Buffer.alloc(64, 0x0a)
  const keys = await Promise.all([
    generateKeyPair('Ed25519'),
    generateKeyPair('secp256k1'),
    generateKeyPair('RSA', 2048),
  ])
  const attack = (name: string, inner: Buffer): Attack => ({
    name: `${kind}: ${name}`,
    bytes: framed(messageOf(inner.subarray(0, longest))),
    streams: TIMES,
  })
  const [ed25519] = keys
  const key = publicKeyToProtobuf(ed25519.publicKey)
  const signature = Buffer.alloc(64, 1)
  const wrongSignatures = keys.flatMap(({ publicKey, type: name }) => {
    const one = { key: publicKeyToProtobuf(publicKey), type, payload }
    return [0, 1, 63, 64, 65, 70, 256, 512].map(bytes =>
      attack(
        `a wrong signature of ${bytes} bytes, ${name}`,
        envelope({ ...one, signature: Buffer.alloc(bytes, 1) }),
      ),
    )
  })
  const rsa = (bytes: number): Buffer => Buffer.concat([field(1, 0), field(2, Buffer.alloc(bytes, 0xff))])
  return [
    ...wrongSignatures,
    attack('nothing', Buffer.alloc(0)),
    attack('no key', envelope({ type, payload, signature })),
    attack('no signature', envelope({ key, type, payload })),
    attack('no payload', envelope({ key, type, signature })),
    attack('another type', envelope({ key, type: Buffer.of(0x7f), payload, signature })),
    attack('a key of an unknown type', envelope({ key: field(1, 99), type, payload, signature })),
    attack('a key of no bytes', envelope({ key: field(1, 1), type, payload, signature })),
    attack('an RSA key that is none', envelope({ key: rsa(512), type, payload, signature })),
    attack('the longest RSA key', envelope({ key: rsa(longest - 200), type, payload, signature })),
    attack('the longest payload', envelope({ key, type, payload: Buffer.alloc(longest - 200), signature })),
    attack('the longest signature', envelope({ key, type, payload, signature: Buffer.alloc(longest - 200) })),
    attack('many keys', Buffer.concat(Array.from({ length: Math.floor(longest / 40) }, () => field(1, key)))),
    attack(
      'many signatures',
      Buffer.concat([
        envelope({ key, type, payload }),
        ...Array.from({ length: Math.floor((longest - 200) / 66) }, () => field(5, signature)),
      ]),
    ),
    ...innerAttacks(kind, messageOf, longest),
  ]
}

/** Lengths and fields of the envelope itself. */
function innerAttacks(kind: string, messageOf: (envelope: Buffer) => Buffer, longest: number): Attack[] {
  const fields = fieldAttacks({
    maxBytes: longest,
    fields: [
      { name: 'key', number: 1, kind: 'message' },
      { name: 'type', number: 2, kind: 'bytes' },
      { name: 'payload', number: 3, kind: 'bytes' },
      { name: 'signature', number: 5, kind: 'bytes' },
    ],
  })
  const lengths = lengthAttacks({ maxBytes: longest }).map(({ name, bytes }) => ({
    name,
    bytes: bytes.subarray(0, longest),
  }))
  return [...fields, ...lengths].map(({ name, bytes }) => ({
    name: `${kind}: ${name}`,
    bytes: framed(messageOf(bytes.subarray(0, longest))),
    streams: TIMES,
  }))
}
