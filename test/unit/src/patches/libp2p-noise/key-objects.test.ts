import assert from 'node:assert/strict'
import crypto, { KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { describe, it } from 'node:test'
import { keepKeyObjects } from '../../../../../src/patches/libp2p-noise/key-objects.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { encrypterWith } from './encrypter.ts'
import type { TestContext } from 'node:test'

interface Cipher {
  encrypt(plaintext: Uint8Array, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Uint8Array
  decrypt(ciphertext: Uint8Array, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array): Uint8Array
}

const [KEY, NONCE, AD] = [Buffer.alloc(32, 1), Buffer.alloc(12, 2), Buffer.alloc(0)]

/** Noise takes another cipher for less than 1200 bytes. The patch leaves it those of less than 384. */
const [SMALL, LARGE] = [Buffer.alloc(1199), Buffer.alloc(1200)]
const [SMALLEST, SMALL_ENOUGH] = [Buffer.alloc(383), Buffer.alloc(384)]

describe('@chainsafe/libp2p-noise', () => {
  it('hands the bytes of a key to OpenSSL for each message, which is the fault', async t => {
    const cipher = await cipherWith()
    const keys = keysUsed(t, () => [LARGE, LARGE].forEach(it => cipher.encrypt(it, NONCE, AD, KEY)))
    assert.deepEqual(keys, [KEY, KEY])
  })

  it('has no native cipher for small messages, which comes of it', async t => {
    const cipher = await cipherWith()
    assert.deepEqual(
      keysUsed(t, () => cipher.encrypt(SMALL, NONCE, AD, KEY)),
      [],
    )
  })
})

describe('keepKeyObjects()', () => {
  it('leaves the smallest messages to the cipher of noise', async t => {
    const cipher = await cipherWith(keepKeyObjects)
    const used = (message: Buffer): number =>
      keysUsed(t, () => cipher.decrypt(cipher.encrypt(message, NONCE, AD, KEY), NONCE, AD, KEY)).length
    assert.deepEqual([used(Buffer.alloc(0)), used(SMALLEST), used(SMALL_ENOUGH)], [0, 0, 2])
  })

  it('makes one object of a key for all other messages', async t => {
    const cipher = await cipherWith(keepKeyObjects)
    const keys = keysUsed(t, () => {
      for (const message of [SMALL, LARGE])
        cipher.decrypt(cipher.encrypt(message, NONCE, AD, KEY), NONCE, AD, KEY)
    })
    assert.equal(keys.length, 4)
    assert.ok(keys[0] instanceof KeyObject)
    assert.equal(new Set(keys).size, 1)
  })

  for (const bytes of [0, 1, 383, 384, 1199, 1200, 65_519])
    it(`encrypts and decrypts ${bytes} bytes as the stock cipher does`, async () => {
      const [stock, patched] = [await cipherWith(), await cipherWith(keepKeyObjects)]
      const message = Buffer.alloc(bytes, 7)
      for (const ad of [AD, Buffer.from('associated')]) {
        const ciphertext = patched.encrypt(message, NONCE, ad, KEY).subarray()
        assert.deepEqual(
          Buffer.from(ciphertext),
          Buffer.from(stock.encrypt(message, NONCE, ad, KEY).subarray()),
        )
        assert.deepEqual(Buffer.from(patched.decrypt(ciphertext, NONCE, ad, KEY).subarray()), message)
      }
    })

  it('throws for a message that was changed, or is shorter than a tag', async () => {
    const cipher = await cipherWith(keepKeyObjects)
    const ciphertext = Buffer.from(cipher.encrypt(SMALL, NONCE, AD, KEY).subarray())
    ciphertext.writeUInt8(ciphertext.readUInt8(0) ^ 1)
    assert.throws(() => cipher.decrypt(ciphertext, NONCE, AD, KEY))
    const smallest = Buffer.from(cipher.encrypt(SMALLEST, NONCE, AD, KEY).subarray())
    smallest.writeUInt8(smallest.readUInt8(0) ^ 1)
    assert.throws(() => cipher.decrypt(smallest, NONCE, AD, KEY))
    for (const bytes of [0, 1, 15])
      assert.throws(() => cipher.decrypt(ciphertext.subarray(0, bytes), NONCE, AD, KEY))
  })

  const members = { 'crypto.encrypt': () => {}, 'crypto.decrypt': () => {} }
  refusesWithout('@chainsafe/libp2p-noise', members, keepKeyObjects)
})

async function cipherWith(patch?: (encrypter: object) => void): Promise<Cipher> {
  return ((await encrypterWith(patch)) as unknown as { crypto: Cipher }).crypto
}

/** The keys that OpenSSL is given meanwhile, in order. */
function keysUsed(t: TestContext, work: () => void): unknown[] {
  const mocks = [t.mock.method(crypto, 'createCipheriv'), t.mock.method(crypto, 'createDecipheriv')]
  syncBuiltinESMExports()
  try {
    work()
    return mocks.flatMap(({ mock }) => mock.calls.map(call => call.arguments[1]))
  } finally {
    for (const { mock } of mocks) mock.restore()
    syncBuiltinESMExports()
  }
}
