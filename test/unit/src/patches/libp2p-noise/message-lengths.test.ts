import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { expectLengths } from '../../../../../src/patches/libp2p-noise/message-lengths.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { encrypterWith } from './encrypter.ts'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import type { LengthDecoder } from '../../../../../src/protocols/message-bounds.ts'

const LIMIT = { timeout: 30_000 }
const PACKAGE = '@chainsafe/libp2p-noise'

type Secured = MessageStream & { decoder: { lengthDecoder: LengthDecoder } }

describe(PACKAGE, LIMIT, () => {
  it('makes an exception for each message that is followed by none, which is the fault', async () => {
    const [, { decoder }] = await securedPair(() => {})
    assert.notEqual(missing(decoder), missing(decoder))
  })
})

describe('expectLengths()', LIMIT, () => {
  it('lets one exception say that there is no length', async () => {
    const [, { decoder }] = await securedPair(expectLengths)
    assert.ok(missing(decoder) instanceof RangeError)
    assert.equal(missing(decoder), missing(decoder))
  })

  for (const length of [0, 1, 255, 256, 65_535]) {
    it(`reads ${length}, in one piece or two`, async () => {
      const [, { decoder }] = await securedPair(expectLengths)
      const bytes = Uint8Array.of(length >> 8, length & 255, 7)
      assert.equal(decoder.lengthDecoder(new Uint8ArrayList(bytes)), length)
      const pieces = new Uint8ArrayList(bytes.subarray(0, 1), bytes.subarray(1))
      assert.equal(decoder.lengthDecoder(pieces), length)
    })
  }

  it('asks for the second byte of a length', async () => {
    const [, { decoder }] = await securedPair(expectLengths)
    assert.throws(() => decoder.lengthDecoder(new Uint8ArrayList(Uint8Array.of(1))), RangeError)
  })

  it('changes nothing about what arrives', async () => {
    const [from, to] = await securedPair(expectLengths)
    const arrived = once(to, 'message')
    from.send(Buffer.from('hello'))
    const [{ data }] = (await arrived) as [{ data: Uint8ArrayList }]
    assert.equal(Buffer.from(data.subarray()).toString(), 'hello')
  })

  refusesWithout(PACKAGE, { secureInbound: () => {}, secureOutbound: () => {} }, expectLengths)

  for (const method of ['secureInbound', 'secureOutbound'] as const)
    describe(`${method}()`, () => {
      refusesWithout(PACKAGE, { 'decoder.lengthDecoder': () => {} }, async (connection: MessageStream) => {
        const secure = async (): Promise<unknown> => ({ connection })
        const encrypter = { secureInbound: secure, secureOutbound: secure } as unknown as ConnectionEncrypter
        expectLengths(encrypter)
        await encrypter[method](connection)
      })
    })
})

/** What the decoder throws where there is nothing to read. */
function missing({ lengthDecoder }: Secured['decoder']): unknown {
  try {
    return lengthDecoder(new Uint8ArrayList())
  } catch (error) {
    return error
  }
}

/** Both ends of a connection that is secured by patched encrypters. */
async function securedPair(patch: (encrypter: ConnectionEncrypter) => void): Promise<[Secured, Secured]> {
  const [outbound, inbound] = multiaddrConnectionPair()
  const [dialer, listener] = [await encrypterWith(patch), await encrypterWith(patch)]
  const [from, to] = await Promise.all([
    dialer.secureOutbound(outbound, { skipStreamMuxerNegotiation: true }),
    listener.secureInbound(inbound, { skipStreamMuxerNegotiation: true }),
  ])
  return [from.connection as Secured, to.connection as Secured]
}
