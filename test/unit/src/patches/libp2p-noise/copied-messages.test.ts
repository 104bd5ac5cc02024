import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { decryptWithoutCopy } from '../../../../../src/patches/libp2p-noise/copied-messages.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { encrypterWith } from './encrypter.ts'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const PACKAGE = '@chainsafe/libp2p-noise'

interface Secured extends MessageStream {
  handshake: { decrypt(message: Uint8ArrayList): Uint8ArrayList }
  decrypt(message: Uint8ArrayList): Uint8ArrayList
}

describe(PACKAGE, LIMIT, () => {
  it('copies a message that came in two reads before it decrypts it, which is the fault', async t => {
    assert.equal(await copiesFor(t, () => {}), 1)
  })
})

describe('decryptWithoutCopy()', LIMIT, () => {
  it('hands on a message that came in two reads as it is', async t => {
    assert.equal(await copiesFor(t, decryptWithoutCopy), 0)
  })

  refusesWithout(PACKAGE, { secureInbound: () => {}, secureOutbound: () => {} }, decryptWithoutCopy)

  for (const method of ['secureInbound', 'secureOutbound'] as const)
    describe(`${method}()`, () => {
      const members = { 'handshake.decrypt': () => {}, decrypt: () => {} }
      refusesWithout(PACKAGE, members, async (connection: MessageStream) => {
        const secure = async (): Promise<unknown> => ({ connection })
        const encrypter = { secureInbound: secure, secureOutbound: secure } as unknown as ConnectionEncrypter
        decryptWithoutCopy(encrypter)
        await encrypter[method](connection)
      })
    })
})

/** How often the parts of one message are joined while it is decrypted. */
async function copiesFor(t: TestContext, patch: (encrypter: ConnectionEncrypter) => void): Promise<number> {
  const [outbound, inbound] = multiaddrConnectionPair()
  t.after(() => outbound.abort(new Error('the test is over')))
  const [dialer, listener] = [await encrypterWith(patch), await encrypterWith(patch)]
  const [{ connection }] = await Promise.all([
    dialer.secureOutbound(outbound, { skipStreamMuxerNegotiation: true }),
    listener.secureInbound(inbound, { skipStreamMuxerNegotiation: true }),
  ])
  const secured = connection as Secured
  secured.handshake.decrypt = message => message
  const message = new Uint8ArrayList(Buffer.alloc(2_000, 1), Buffer.alloc(2_000, 2))
  const joined = t.mock.method(Uint8ArrayList.prototype, 'subarray')
  const decrypted = secured.decrypt(message)
  const copies = joined.mock.callCount()
  assert.deepEqual(decrypted.subarray(), message.subarray())
  return copies
}
