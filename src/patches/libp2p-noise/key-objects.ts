/**
 * OpenSSL's ChaCha20-Poly1305 for the messages of Noise, with one key object for each key.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: it hands the key to `createCipheriv` as bytes (crypto/index.ts).
 * Node 24 makes an object of them for each message, at ten times the cost of what follows (30 of 33 us,
 * measured). For that reason noise takes WebAssembly for messages of less than 1200 bytes. With key objects it is faster
 * only for the smallest: 1 us for a byte and 3.3 us for 300 bytes, where OpenSSL takes 5 us for both.
 *
 * Upstream issue: not reported.
 */

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { Uint8ArrayList } from 'uint8arraylist'
import { shapeCheck } from '../expect-shape.ts'
import type { KeyObject } from 'node:crypto'

type Bytes = Uint8Array | Uint8ArrayList

/** The part of what `noise()` makes that is replaced. There is no other way to change the cipher alone. */
interface NoiseInternals {
  crypto: { encrypt: Crypt; decrypt: Crypt }
}

type Crypt = (text: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array) => Bytes

/** Messages of less than this, in bytes, are left to noise. Such are window updates and key strokes. */
const SMALL_BYTES = 384

const CIPHER = 'chacha20-poly1305'

/** Bytes of Poly1305's tag (RFC 8439, section 2.8). */
const TAG_BYTES = 16

const TAG = { authTagLength: TAG_BYTES }

const assertShape = shapeCheck('@chainsafe/libp2p-noise', {
  'crypto.encrypt': 'function',
  'crypto.decrypt': 'function',
})

/** Patches an encrypter. @throws {UpstreamChangedError} */
export function keepKeyObjects(encrypter: object): void {
  assertShape(encrypter)
  const { crypto } = encrypter as NoiseInternals
  const small = { ...crypto }
  Object.assign(crypto, {
    encrypt: (plaintext, ...rest) =>
      (plaintext.byteLength < SMALL_BYTES ? small.encrypt : encrypt)(plaintext, ...rest),
    decrypt: (ciphertext, ...rest) =>
      (ciphertext.byteLength < SMALL_BYTES + TAG_BYTES ? small.decrypt : decrypt)(ciphertext, ...rest),
  } satisfies NoiseInternals['crypto'])
}

const keys = new WeakMap<Uint8Array, KeyObject>()

/** A key never changes: Noise has a new array for each. */
function keyObjectOf(key: Uint8Array): KeyObject {
  let object = keys.get(key)
  if (object === undefined) {
    object = createSecretKey(key)
    keys.set(key, object)
  }
  return object
}

function encrypt(plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Bytes {
  const cipher = createCipheriv(CIPHER, keyObjectOf(key), nonce, TAG)
  if (ad.byteLength > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
  const output = new Uint8ArrayList()
  for (const part of partsOf(plaintext)) output.append(cipher.update(part))
  // of a stream cipher nothing is left for the end
  cipher.final()
  output.append(cipher.getAuthTag())
  return output
}

function decrypt(ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Bytes {
  const textBytes = ciphertext.byteLength - TAG_BYTES
  if (textBytes < 0) throw new RangeError('the message is shorter than its tag')
  const decipher = createDecipheriv(CIPHER, keyObjectOf(key), nonce, TAG)
  if (ad.byteLength > 0) decipher.setAAD(ad, { plaintextLength: textBytes })
  decipher.setAuthTag(ciphertext.subarray(textBytes))
  const parts = Array.from(partsOf(slice(ciphertext, textBytes)), part => decipher.update(part))
  // throws if the tag is not that of the text
  decipher.final()
  // one part stays what it is: the handshake looks into it
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : new Uint8ArrayList(...parts)
}

function slice(bytes: Bytes, length: number): Bytes {
  return bytes instanceof Uint8Array ? bytes.subarray(0, length) : bytes.sublist(0, length)
}

function partsOf(bytes: Bytes): Iterable<Uint8Array> {
  return bytes instanceof Uint8Array ? [bytes] : bytes
}
