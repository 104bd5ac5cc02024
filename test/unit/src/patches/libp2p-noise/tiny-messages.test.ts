import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { refuseTinyMessages } from '../../../../../src/patches/libp2p-noise/tiny-messages.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { encrypterWith } from './encrypter.ts'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const PACKAGE = '@chainsafe/libp2p-noise'

/** The message after all others has another size. */
const LAST_BYTES = 1_234

interface Secured extends MessageStream {
  handshake: { encrypt(message: Uint8Array): { subarray(): Uint8Array } }
}

/** Makes an empty message, by the connection that sends it. */
type Empty = (from: Secured) => Uint8Array

const EMPTY: Readonly<Record<string, Empty>> = {
  'of two bytes': () => Buffer.alloc(2),
  'of a tag': from => Buffer.concat([Buffer.of(0, 16), from.handshake.encrypt(Buffer.alloc(0)).subarray()]),
}

/** A message with so many bytes in it. */
const withBytes =
  (count: number): Empty =>
  from => {
    const message = from.handshake.encrypt(Buffer.alloc(count)).subarray()
    return Buffer.concat([Buffer.of(message.byteLength >> 8, message.byteLength & 255), message])
  }

describe(PACKAGE, LIMIT, () => {
  it('reads any number of empty messages, which is the fault', async t => {
    for (const empty of Object.values(EMPTY)) assert.equal(await statusAfter(t, () => {}, empty, 100), 'open')
  })
})

describe('refuseTinyMessages()', LIMIT, () => {
  for (const [what, empty] of Object.entries(EMPTY)) {
    it(`ends a connection that sends 17 messages ${what}`, async t => {
      assert.equal(await statusAfter(t, refuseTinyMessages, empty, 17), 'aborted')
    })

    it(`lets 16 messages ${what} pass, and what follows`, async t => {
      assert.equal(await statusAfter(t, refuseTinyMessages, empty, 16), 'open')
    })
  }

  for (const count of [1, 2, 11])
    it(`ends a connection that sends many messages of ${count} bytes`, async t => {
      assert.equal(await statusAfter(t, refuseTinyMessages, withBytes(count), 256), 'open')
      assert.equal(await statusAfter(t, refuseTinyMessages, withBytes(count), 2_000), 'aborted')
    })

  it('lets any number of messages pass that have room for the header of a frame', async t => {
    assert.equal(await statusAfter(t, refuseTinyMessages, withBytes(12), 2_000), 'open')
  })

  it('lets the rest of a message pass that is too long for one', async t => {
    const both: Empty = from => Buffer.concat([withBytes(65_519)(from), withBytes(1)(from)])
    assert.equal(await statusAfter(t, refuseTinyMessages, both, 300), 'open')
  })

  refusesWithout(PACKAGE, { secureInbound: () => {}, secureOutbound: () => {} }, refuseTinyMessages)

  for (const method of ['secureInbound', 'secureOutbound'] as const)
    describe(`${method}()`, () => {
      refusesWithout(PACKAGE, { 'decoder.lengthDecoder': () => {} }, async (connection: MessageStream) => {
        const secure = async (): Promise<unknown> => ({ connection })
        const encrypter = { secureInbound: secure, secureOutbound: secure } as unknown as ConnectionEncrypter
        refuseTinyMessages(encrypter)
        await encrypter[method](connection)
      })
    })
})

/** What a connection is after so many empty messages, and one that is not. */
async function statusAfter(
  t: TestContext,
  patch: (encrypter: ConnectionEncrypter) => void,
  empty: Empty,
  count: number,
): Promise<string> {
  const [outbound, inbound] = multiaddrConnectionPair()
  t.after(() => outbound.abort(new Error('the test is over')))
  const [dialer, listener] = [await encrypterWith(patch), await encrypterWith(patch)]
  const [{ connection: from }, { connection: to }] = await Promise.all([
    dialer.secureOutbound(outbound, { skipStreamMuxerNegotiation: true }),
    listener.secureInbound(inbound, { skipStreamMuxerNegotiation: true }),
  ])
  let isOver = false
  to.addEventListener('message', ({ data }) => (isOver ||= data.byteLength === LAST_BYTES))
  for (let n = 0; n < count; n++) outbound.send(empty(from as Secured))
  from.send(Buffer.alloc(LAST_BYTES))
  await until(() => isOver || to.status !== 'open')
  return to.status
}
