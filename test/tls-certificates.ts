/** Certificates of hostile peers: each part can be another than it should be. */

import { generateKeyPairSync, sign } from 'node:crypto'
import { encode, Tag } from '../src/encryption/der.ts'
import { encodeSignedKey, SIGNED_KEY_OID } from '../src/encryption/signed-key.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { KeyObject } from 'node:crypto'

const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')
const DAY_MS = 24 * 60 * 60_000

/** What is different. Without anything the certificate is in order. */
export interface Difference {
  pair?: { publicKey: KeyObject; privateKey: KeyObject }
  /** Who signs the certificate. */
  signer?: KeyObject
  notBefore?: number
  notAfter?: number
  version?: number
  issuer?: Buffer
  innerAlgorithm?: Buffer
  /** The value of the extension for libp2p. */
  signedKey?: (right: Buffer, spki: Buffer) => Buffer | Promise<Buffer>
  /** All extensions; `right` is the one for libp2p. */
  extensions?: (right: Buffer) => Buffer[]
  /** Without the field of extensions at all. */
  hasNoExtensions?: boolean
  /** The encoded certificate. */
  whole?: (right: Buffer) => Buffer
}

/** Makes a certificate of a peer. */
export async function makeCertificate(
  privateKey: PrivateKey,
  difference: Difference = {},
): Promise<{ raw: Buffer; cert: string; key: string }> {
  const {
    pair = generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    signer = pair.privateKey,
    notBefore = Date.now() - DAY_MS,
    notAfter = Date.now() + DAY_MS,
    version = 2,
    issuer = encode(Tag.sequence),
    signedKey = right => right,
    extensions = right => [right],
    whole = right => right,
  } = difference
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const algorithm = encode(Tag.sequence, ECDSA_WITH_SHA256)
  const value = await signedKey(await encodeSignedKey(privateKey, spki), spki)
  const all = extensions(extension(SIGNED_KEY_OID, value))
  const toBeSigned = encode(
    Tag.sequence,
    encode(Tag.version, encode(Tag.integer, Buffer.of(version))),
    encode(Tag.integer, Buffer.of(1)),
    difference.innerAlgorithm ?? algorithm,
    issuer,
    encode(Tag.sequence, time(notBefore), time(notAfter)),
    encode(Tag.sequence),
    spki,
    difference.hasNoExtensions === true
      ? Buffer.alloc(0)
      : encode(Tag.extensions, encode(Tag.sequence, ...all)),
  )
  const signature = sign(signer.asymmetricKeyType === 'ed25519' ? null : 'sha256', toBeSigned, signer)
  const raw = whole(
    encode(Tag.sequence, toBeSigned, algorithm, encode(Tag.bitString, Buffer.of(0), signature)),
  )
  return {
    raw,
    cert: `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** One extension. */
export function extension(oid: Buffer, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [encode(Tag.boolean, Buffer.of(0xff))] : []
  return encode(Tag.sequence, encode(Tag.oid, oid), ...critical, encode(Tag.octetString, value))
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().slice(0, 19).replaceAll(/\D/g, '')
  return encode(Tag.generalizedTime, Buffer.from(`${digits}Z`))
}
