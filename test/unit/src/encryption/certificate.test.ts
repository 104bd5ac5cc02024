/** The certificate that a node shows, and the check of the one that a remote shows. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { generateCertificate, verifyPeerCertificate } from '@libp2p/tls/utils'
import { CertificateHolder } from '../../../../src/encryption/certificate.ts'
import { encode, Tag } from '../../../../src/encryption/der.ts'
import { encodeSignedKey } from '../../../../src/encryption/signed-key.ts'
import { verifyCertificate } from '../../../../src/encryption/verify-certificate.ts'
import { extension, makeCertificate } from '../../../tls-certificates.ts'
import type { Difference } from '../../../tls-certificates.ts'

const DAY_MS = 24 * 60 * 60_000
const UNKNOWN_OID = Buffer.from('2b0601040183a25a0163', 'hex')

const identity = await generateKeyPair('Ed25519')
const peerId = peerIdFromPrivateKey(identity)
const other = await generateKeyPair('Ed25519')

const KEYS = [
  ['Ed25519', identity],
  ['secp256k1', await generateKeyPair('secp256k1')],
  ['RSA', await generateKeyPair('RSA', 2048)],
] as const

const holderOf = (key: typeof identity): CertificateHolder<X509Certificate> =>
  new CertificateHolder(key, ({ cert }) => new X509Certificate(cert))

describe('the certificate of a node', () => {
  for (const [kind, key] of KEYS) {
    it(`names the peer of a key of ${kind}, for us and for @libp2p/tls`, async () => {
      const { raw } = await holderOf(key as typeof identity).current()
      const expected = peerIdFromPrivateKey(key as typeof identity)
      assert.equal((await verifyCertificate(raw, expected)).toString(), expected.toString())
      assert.equal((await verifyPeerCertificate(raw, expected)).toString(), expected.toString())
    })

    it(`of @libp2p/tls with a key of ${kind} is accepted`, async () => {
      const { raw } = new X509Certificate((await generateCertificate(key)).cert)
      const expected = peerIdFromPrivateKey(key as typeof identity)
      assert.equal((await verifyCertificate(raw, expected)).toString(), expected.toString())
    })
  }

  it('is valid on clocks that are wrong by months', async () => {
    const { raw } = await holderOf(identity).current()
    for (const days of [-300, 300]) await verifyCertificate(raw, peerId, Date.now() + days * DAY_MS)
  })

  it('is valid around the year in which times are written in another way', async () => {
    for (const year of [2049, 2050, 2051]) {
      const now = Date.UTC(year, 5)
      const { raw } = await holderOf(identity).current(now)
      await verifyCertificate(raw, peerId, now)
    }
  })

  it('is made once, and renewed long before it ends, or when the clock was set back', async () => {
    const holder = holderOf(identity)
    const now = Date.now()
    const first = await holder.current(now)
    assert.equal(await holder.current(now + 80 * DAY_MS), first)
    const second = await holder.current(now + 100 * DAY_MS)
    assert.notEqual(second, first)
    assert.notEqual(await holder.current(now), second)
  })

  it('is made again after the key has failed to sign', async () => {
    let fails = true
    const flaky = Object.assign(Object.create(identity) as typeof identity, {
      sign: async (data: Uint8Array): Promise<Uint8Array> => {
        if (fails) throw new Error('not now')
        return identity.sign(data)
      },
    })
    const holder = holderOf(flaky)
    await assert.rejects(holder.current(), /not now/)
    fails = false
    await verifyCertificate((await holder.current()).raw, peerId)
  })
})

const octets = (bytes: Uint8Array): Buffer => encode(Tag.octetString, bytes)

const HOSTILE: ReadonlyArray<[what: string, difference: Difference, message: RegExp]> = [
  ['is expired', { notAfter: Date.now() - DAY_MS, notBefore: Date.now() - 2 * DAY_MS }, /has expired/],
  ['is not valid yet', { notBefore: Date.now() + DAY_MS }, /not valid yet/],
  ['has no extensions', { hasNoExtensions: true }, /no extensions/],
  ['lacks the extension for libp2p', { extensions: () => [] }, /lacks the extension/],
  [
    'has only an extension that is not known',
    { extensions: () => [extension(UNKNOWN_OID, Buffer.alloc(1))] },
    /lacks the extension/,
  ],
  ['has the extension twice', { extensions: right => [right, right] }, /twice/],
  [
    'has a critical extension that is not known',
    { extensions: right => [extension(UNKNOWN_OID, Buffer.alloc(1), true), right] },
    /critical extension/,
  ],
  [
    'has too many extensions',
    {
      extensions: right => [
        ...Array.from({ length: 40 }, () => extension(UNKNOWN_OID, Buffer.alloc(1))),
        right,
      ],
    },
    /too many/,
  ],
  ['names another issuer', { issuer: encode(Tag.sequence, encode(0x31)) }, /another one/],
  ['has version 1', { version: 0 }, /version/],
  [
    'names two algorithms',
    { innerAlgorithm: encode(Tag.sequence, Buffer.from('06032b6570', 'hex')) },
    /two algorithms/,
  ],
  [
    'is signed by another key',
    { signer: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
    /not signed by its own key/,
  ],
  [
    'has a key of a curve that is not accepted',
    { pair: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) },
    /kind or size/,
  ],
  ['has a short RSA key', { pair: generateKeyPairSync('rsa', { modulusLength: 1024 }) }, /kind or size/],
  [
    'carries the signature of another key of its peer',
    { signedKey: async () => encodeSignedKey(identity, Buffer.from('x')) },
    /not signed by the peer/,
  ],
  ['has an empty extension', { signedKey: () => Buffer.alloc(0) }, /cannot be read/],
  ['has an extension with a tail', { signedKey: right => Buffer.concat([right, Buffer.of(0)]) }, /follow/],
  [
    'has an extension with one part',
    { signedKey: () => encode(Tag.sequence, octets(Buffer.of(1))) },
    /cannot be read/,
  ],
  [
    'has a key in its extension that is none',
    { signedKey: () => encode(Tag.sequence, octets(Buffer.of(8, 9, 18, 0)), octets(Buffer.alloc(64))) },
    /cannot be read/,
  ],
  ['has a tail', { whole: right => Buffer.concat([right, Buffer.of(0)]) }, /follow/],
  ['is cut off', { whole: right => right.subarray(0, -1) }, /encoded/],
  ['is empty', { whole: () => Buffer.alloc(0) }, /encoded/],
  [
    'is longer than 8 KiB',
    { extensions: right => [right, extension(UNKNOWN_OID, Buffer.alloc(9_000))] },
    /at most/,
  ],
  [
    'has an indefinite length',
    { whole: right => Buffer.concat([Buffer.of(0x30, 0x80), right.subarray(4), Buffer.of(0, 0)]) },
    /encoded/,
  ],
]

describe('a certificate of a remote', () => {
  for (const [what, difference, message] of HOSTILE)
    it(`is refused that ${what}`, async () => {
      const { raw } = await makeCertificate(identity, difference)
      await assert.rejects(verifyCertificate(raw, peerId), { name: 'InvalidCryptoExchangeError', message })
    })

  for (const [what, difference] of [
    [
      'has its extension after others',
      { extensions: (right: Buffer) => [extension(UNKNOWN_OID, Buffer.alloc(1)), right] },
    ],
    [
      'has a critical extension that X.509 knows',
      {
        extensions: (right: Buffer) => [
          right,
          extension(Buffer.from('551d0f', 'hex'), Buffer.from('03020780', 'hex'), true),
        ],
      },
    ],
    ['has a key of P-384', { pair: generateKeyPairSync('ec', { namedCurve: 'P-384' }) }],
  ] as ReadonlyArray<[string, Difference]>)
    it(`is accepted that ${what}`, async () => {
      const { raw } = await makeCertificate(identity, difference)
      assert.equal((await verifyCertificate(raw)).toString(), peerId.toString())
    })

  it('is refused that names a peer with a key of ECDSA, of which js-libp2p has no peer ids', async () => {
    const { raw } = new X509Certificate((await generateCertificate(await generateKeyPair('ECDSA'))).cert)
    await assert.rejects(verifyCertificate(raw), { name: 'InvalidCryptoExchangeError', message: /kind/ })
  })

  it('is refused that names another peer, with a message that the dialler knows', async () => {
    const { raw } = await makeCertificate(other)
    await assert.rejects(verifyCertificate(raw, peerId), {
      name: 'UnexpectedPeerError',
      message: /does not match expected remote identity/,
    })
  })

  it('is refused or accepted, and nothing else, with any byte changed', async () => {
    const { raw } = await makeCertificate(identity)
    let accepted = 0
    for (let at = 0; at < raw.byteLength; at++) {
      const changed = Buffer.from(raw)
      changed[at] = (changed[at] ?? 0) ^ 1
      await verifyCertificate(changed, peerId).then(
        () => accepted++,
        (error: Error) => assert.match(error.name, /^(InvalidCryptoExchange|UnexpectedPeer)Error$/),
      )
    }
    assert.equal(accepted, 0)
  })

  it('is refused when it is cut off anywhere', async () => {
    const { raw } = await makeCertificate(identity)
    for (let length = 0; length < raw.byteLength; length++)
      await assert.rejects(verifyCertificate(raw.subarray(0, length), peerId), {
        name: 'InvalidCryptoExchangeError',
      })
  })
})
