/**
 * The check of the certificate that a remote shows in TLS. It is strict, and costs little for any bytes: two signatures
 * of keys of usual sizes.
 * Spec: https://github.com/libp2p/specs/blob/master/tls/tls.md#peer-authentication
 */

import { X509Certificate } from 'node:crypto'
import { InvalidCryptoExchangeError, UnexpectedPeerError } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { DerReader, Tag } from './der.ts'
import { SIGNED_KEY_OID, verifySignedKey } from './signed-key.ts'
import type { KeyObject } from 'node:crypto'
import type { PeerId } from '@libp2p/interface'

/** Most bytes of a certificate. One with two keys of RSA-4096 has some 2.4 KiB, ours has 350 bytes. */
const MAX_CERTIFICATE_BYTES = 8 * 1024

/** Extensions that may be marked as critical beside the one of libp2p: X.509 knows them, and they do not matter here (RFC 5280, 4.2.1). */
const KNOWN_OIDS: ReadonlySet<string> = new Set([
  '551d0f', // key usage
  '551d11', // subject alternative name
  '551d13', // basic constraints
  '551d25', // extended key usage
])

/** Extensions that are looked at. */
const MAX_EXTENSIONS = 32

const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const RSA_BITS = { least: 2_048, most: 8_192 } as const

/** What of a certificate is needed that Node does not tell. */
interface Fields {
  spki: Buffer
  signedKey: Buffer
}

/**
 * Resolves with the peer that a certificate names.
 *
 * @param raw - the certificate, in DER
 *
 * @throws {UnexpectedPeerError} (libp2p) if the certificate is in order, and names another peer than `expected`
 * @throws {InvalidCryptoExchangeError} (libp2p) if the certificate is not in order; the message says in what
 */
export async function verifyCertificate(
  raw: Uint8Array,
  expected?: PeerId,
  now: number = Date.now(),
): Promise<PeerId> {
  if (raw.byteLength > MAX_CERTIFICATE_BYTES)
    throw invalid(`has ${raw.byteLength} bytes, of ${MAX_CERTIFICATE_BYTES} at most`)
  const { spki, signedKey } = attempt('is not encoded as it must be', () => readFields(raw))
  const certificate = attempt('cannot be read', () => new X509Certificate(raw))
  if (now < certificate.validFromDate.getTime()) throw invalid('is not valid yet')
  if (now > certificate.validToDate.getTime()) throw invalid('has expired')
  const publicKey = attempt('has a key that cannot be read', () => certificate.publicKey)
  if (!isUsual(publicKey)) throw invalid('has a key of a kind or size that is not accepted')
  if (!attempt('has a signature that cannot be checked', () => certificate.verify(publicKey)))
    throw invalid('is not signed by its own key')
  const remoteKey = await verifySignedKey(signedKey, spki).catch((error: unknown) => {
    throw invalid('has an extension for libp2p that cannot be read', error)
  })
  if (remoteKey === undefined) throw invalid('is not signed by the peer that it names')
  const remotePeer = attempt('names a peer with a key of a kind that is not supported', () =>
    peerIdFromPublicKey(remoteKey),
  )
  // libp2p keeps only the text of an error, see isWrongPeer() of src/holepunch/punch/handshake.ts
  if (expected?.equals(remotePeer) === false)
    throw new UnexpectedPeerError(
      `The identity ${remotePeer} does not match expected remote identity ${expected}`,
    )
  return remotePeer
}

/** RFC 5280, 4.1. @throws {Error} */
function readFields(raw: Uint8Array): Fields {
  const reader = new DerReader(raw)
  const certificate = reader.enter(Tag.sequence)
  reader.end()
  const tbs = certificate.enter(Tag.sequence)
  const outerAlgorithm = certificate.read(Tag.sequence)
  certificate.read(Tag.bitString)
  certificate.end()
  const version = tbs.enter(Tag.version).read(Tag.integer)
  if (version.content[0] !== 2) throw new RangeError('the version is not 3')
  tbs.read(Tag.integer)
  const algorithm = tbs.read(Tag.sequence)
  if (!algorithm.encoded.equals(outerAlgorithm.encoded)) throw new RangeError('two algorithms are named')
  const issuer = tbs.read(Tag.sequence)
  tbs.read(Tag.sequence)
  const subject = tbs.read(Tag.sequence)
  if (!issuer.encoded.equals(subject.encoded)) throw new RangeError('another one has issued it')
  const spki = tbs.read(Tag.sequence).encoded
  // unique ids, which RFC 5280 has deprecated
  while (!tbs.isAtEnd && !tbs.isNext(Tag.extensions)) tbs.read()
  if (tbs.isAtEnd) throw new RangeError('it has no extensions')
  const outer = tbs.enter(Tag.extensions)
  tbs.end()
  const signedKey = readSignedKey(outer.enter(Tag.sequence))
  outer.end()
  return { spki, signedKey }
}

function readSignedKey(extensions: DerReader): Buffer {
  let signedKey: Buffer | undefined
  for (let n = 0; !extensions.isAtEnd; n++) {
    if (n === MAX_EXTENSIONS) throw new RangeError('it has too many extensions')
    const extension = extensions.enter(Tag.sequence)
    const { content: oid } = extension.read(Tag.oid)
    const isCritical = extension.isNext(Tag.boolean) && extension.read(Tag.boolean).content[0] !== 0
    const { content } = extension.read(Tag.octetString)
    extension.end()
    if (oid.equals(SIGNED_KEY_OID)) {
      if (signedKey !== undefined) throw new RangeError('it has the extension for libp2p twice')
      signedKey = content
    } else if (isCritical && !KNOWN_OIDS.has(oid.toString('hex')))
      throw new RangeError('it has a critical extension that is not known')
  }
  if (signedKey === undefined) throw new RangeError('it lacks the extension for libp2p')
  return signedKey
}

function isUsual({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): boolean {
  if (type === 'ed25519') return true
  if (type === 'ec') return CURVES.has(details.namedCurve ?? '')
  const bits = details.modulusLength ?? 0
  return (type === 'rsa' || type === 'rsa-pss') && bits >= RSA_BITS.least && bits <= RSA_BITS.most
}

function attempt<Result>(problem: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw invalid(problem, error)
  }
}

function invalid(problem: string, cause?: unknown): Error {
  const reason = cause === undefined ? '' : `: ${(cause as Error).message}`
  const error = new InvalidCryptoExchangeError(`The remote's certificate ${problem}${reason}`)
  return Object.assign(error, { cause })
}
