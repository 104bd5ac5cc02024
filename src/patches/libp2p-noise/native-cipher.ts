/**
 * Noise with OpenSSL's ChaCha20-Poly1305 for every message, and no copies of them.
 *
 * `@chainsafe/libp2p-noise` 17.0.0 hands the key to `createCipheriv` as bytes, which Node 24 makes an object of each time, for ten times the cost
 * of what follows (30 of 33 us, measured), and so takes WebAssembly for messages of less than 1200 bytes. Here the object is made once for each key.
 *
 * It also copies each message that came in two reads, most of them, for WebAssembly to decrypt it in place (utils.ts, `decrypt`).
 */

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { Uint8ArrayList } from 'uint8arraylist'
import { shapeCheck } from '../expect-shape.ts'
import type { KeyObject } from 'node:crypto'

type Bytes = Uint8Array | Uint8ArrayList
type Noise = ReturnType<typeof noise>

/** The part of what `noise()` makes that is replaced; it has no other way to change the cipher alone. */
interface NoiseInternals {
  crypto: {
    encrypt(plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Bytes
    decrypt(ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Bytes
  }
}

const CIPHER = 'chacha20-poly1305'

/** Bytes of Poly1305's tag (RFC 8439, section 2.8). */
const TAG_BYTES = 16

const TAG = { authTagLength: TAG_BYTES }

/** The same of the connection that it makes. */
interface SecuredInternals {
  handshake: { decrypt(message: Bytes): Bytes }
  decrypt(message: Bytes): Bytes
}

const PACKAGE = '@chainsafe/libp2p-noise'
const assertShape = shapeCheck(PACKAGE, { 'crypto.encrypt': 'function', 'crypto.decrypt': 'function' })
const assertSecuredShape = shapeCheck(PACKAGE, { 'handshake.decrypt': 'function', decrypt: 'function' })

/** Makes the encrypter, in place of `noise()`. */
export function nativeNoise(): Noise {
  return components => {
    const encrypter = noise()(components)
    assertShape(encrypter)
    Object.assign((encrypter as unknown as NoiseInternals).crypto, { encrypt, decrypt })
    for (const method of ['secureInbound', 'secureOutbound'] as const) {
      const secure = encrypter[method].bind(encrypter)
      encrypter[method] = async (connection, options) => {
        const secured = await secure(connection, options)
        const internals = secured.connection as unknown as SecuredInternals
        assertSecuredShape(internals)
        internals.decrypt = message => internals.handshake.decrypt(message)
        return secured
      }
    }
    return encrypter
  }
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
