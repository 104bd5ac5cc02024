/**
 * The certificate that a node shows in TLS: signed by its own key, with the extension that names the peer. There is one
 * for each identity. It is made when it is first needed, and again long before it ends.
 * Spec: https://github.com/libp2p/specs/blob/master/tls/tls.md#peer-authentication
 */

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { encode, Tag } from './der.ts'
import { encodeSignedKey, SIGNED_KEY_OID } from './signed-key.ts'
import type { PrivateKey } from '@libp2p/interface'

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const DAY_MS = 24 * 60 * 60_000

/** A certificate is valid for so long before and after it is made, in milliseconds. Clocks of peers are wrong by months where they have no battery. */
const VALID_MS = 365 * DAY_MS

/** A certificate is replaced when it is this old, in milliseconds. */
const RENEW_AFTER_MS = 90 * DAY_MS

/** ecdsa-with-SHA256 (RFC 5758, 3.2), encoded. */
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')

/** Bytes of a serial number. RFC 5280, 4.1.2.2: at most 20. */
const SERIAL_BYTES = 8

/** From 2050 on a time has four digits for the year (RFC 5280, 4.1.2.5). */
const FIRST_GENERALIZED_YEAR = 2050

/** Makes a certificate that is valid now. */
async function createCertificate(privateKey: PrivateKey, now: number = Date.now()): Promise<Certificate> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const algorithm = encode(Tag.sequence, ECDSA_WITH_SHA256)
  // of both: the issuer is the subject
  const name = encode(Tag.sequence)
  const extension = encode(
    Tag.sequence,
    encode(Tag.oid, SIGNED_KEY_OID),
    encode(Tag.boolean, Buffer.of(0xff)),
    encode(Tag.octetString, await encodeSignedKey(privateKey, spki)),
  )
  const toBeSigned = encode(
    Tag.sequence,
    encode(Tag.version, encode(Tag.integer, Buffer.of(2))),
    encode(Tag.integer, serialNumber()),
    algorithm,
    name,
    encode(Tag.sequence, encodeTime(now - VALID_MS), encodeTime(now + VALID_MS)),
    name,
    spki,
    encode(Tag.extensions, encode(Tag.sequence, extension)),
  )
  const signature = sign('sha256', toBeSigned, pair.privateKey)
  const certificate = encode(
    Tag.sequence,
    toBeSigned,
    algorithm,
    encode(Tag.bitString, Buffer.of(0), signature),
  )
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
    key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** A positive number in its shortest form: the first byte is 0x40 to 0x7f. */
function serialNumber(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

function encodeTime(ms: number): Buffer {
  const time = new Date(ms)
  const digits = `${time.toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`
  return time.getUTCFullYear() < FIRST_GENERALIZED_YEAR
    ? encode(Tag.utcTime, Buffer.from(digits.slice(2)))
    : encode(Tag.generalizedTime, Buffer.from(digits))
}

/** Keeps what is made of the current certificate of one identity. */
export class CertificateHolder<Made> {
  readonly #privateKey: PrivateKey
  readonly #make: (certificate: Certificate) => Made
  #made: Promise<Made> | undefined
  #madeAt = 0

  /** @param make - called with each new certificate */
  constructor(privateKey: PrivateKey, make: (certificate: Certificate) => Made) {
    this.#privateKey = privateKey
    this.#make = make
  }

  /** What was made of a certificate that is valid for at least nine months. */
  async current(now: number = Date.now()): Promise<Made> {
    // a clock that was set back has made a certificate too far in the future
    if (this.#made === undefined || Math.abs(now - this.#madeAt) > RENEW_AFTER_MS) {
      this.#madeAt = now
      const made = createCertificate(this.#privateKey, now).then(this.#make)
      this.#made = made
      made.catch(() => {
        if (this.#made === made) this.#made = undefined
      })
    }
    return this.#made
  }
}
