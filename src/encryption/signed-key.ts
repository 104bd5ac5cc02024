/**
 * The extension of a certificate that names the peer: its public key, and its signature of the certificate's key.
 * Spec: https://github.com/libp2p/specs/blob/master/tls/tls.md#libp2p-public-key-extension
 */

import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { DerReader, encode, Tag } from './der.ts'
import type { PrivateKey, PublicKey } from '@libp2p/interface'

/** 1.3.6.1.4.1.53594.1.1, encoded. */
export const SIGNED_KEY_OID: Buffer = Buffer.from('2b0601040183a25a0101', 'hex')

/** What the signature covers begins with this. */
const PREFIX = Buffer.from('libp2p-tls-handshake:')

/**
 * Makes the value of the extension.
 *
 * @param spki - the public key of the certificate, as `SubjectPublicKeyInfo`
 */
export async function encodeSignedKey(privateKey: PrivateKey, spki: Uint8Array): Promise<Buffer> {
  const signature = await privateKey.sign(Buffer.concat([PREFIX, spki]))
  return encode(
    Tag.sequence,
    encode(Tag.octetString, publicKeyToProtobuf(privateKey.publicKey)),
    encode(Tag.octetString, signature),
  )
}

/**
 * The public key of the peer that has signed `spki`. Undefined if the signature is not right.
 *
 * @throws {Error} if the value is not encoded as it must be, or the key is not of a kind that is known
 */
export async function verifySignedKey(value: Uint8Array, spki: Uint8Array): Promise<PublicKey | undefined> {
  const reader = new DerReader(value)
  const signedKey = reader.enter(Tag.sequence)
  reader.end()
  const publicKey = publicKeyFromProtobuf(signedKey.read(Tag.octetString).content)
  const signature = signedKey.read(Tag.octetString).content
  signedKey.end()
  return (await publicKey.verify(Buffer.concat([PREFIX, spki]), signature)) ? publicKey : undefined
}
