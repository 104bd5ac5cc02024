import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { joinSmallMessages } from '../../../../../src/patches/libp2p-noise/small-messages.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { encrypterWith } from './encrypter.ts'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const PACKAGE = '@chainsafe/libp2p-noise'

const PIECES = 5_000

interface Secured extends MessageStream {
  readonly handshake: { encrypt(message: Uint8Array): { subarray(): Uint8Array } }
  readonly decoder: { readonly buffer: Uint8ArrayList }
}

describe(PACKAGE, LIMIT, () => {
  it('keeps each piece of a message, which is the fault', async t => {
    assert.equal(await piecesKept(t, () => {}), PIECES)
  })
})

describe('joinSmallMessages()', LIMIT, () => {
  it('passes on small messages that come together in one piece, in order', async t => {
    const { from, to, outbound } = await connect(t, joinSmallMessages)
    const received: Uint8Array[] = []
    to.addEventListener('message', ({ data }) => received.push(data.subarray()))
    const sent = Array.from({ length: 300 }, (_, n) => Buffer.alloc(n % 50 === 7 ? 2_000 : (n % 5) + 1, n))
    const messages = sent.flatMap(plain => {
      const message = (from as Secured).handshake.encrypt(plain).subarray()
      return [Buffer.of(message.byteLength >> 8, message.byteLength & 255), message]
    })
    // the last one comes in two parts
    const bytes = Buffer.concat(messages)
    outbound.send(bytes.subarray(0, -3))
    outbound.send(bytes.subarray(-3))
    const all = Buffer.concat(sent)
    await until(() => Buffer.concat(received).byteLength === all.byteLength)
    assert.deepEqual(Buffer.concat(received), all)
    assert.ok(received.length < 20, `${received.length}`)
  })

  it('passes on what came before a message that ends the connection', async t => {
    const { from, to, outbound } = await connect(t, joinSmallMessages)
    const received: Uint8Array[] = []
    to.addEventListener('message', ({ data }) => received.push(data.subarray()))
    const good = (from as Secured).handshake.encrypt(Buffer.from('good')).subarray()
    outbound.send(Buffer.concat([Buffer.of(0, 20), good, Buffer.of(0, 20), Buffer.alloc(20)]))
    await until(() => to.status === 'aborted')
    assert.equal(Buffer.concat(received).toString(), 'good')
  })

  it('joins the pieces of a message that has not come in whole', async t => {
    assert.ok((await piecesKept(t, joinSmallMessages)) < 300)
  })

  it('leaves the message whole', async t => {
    const { from, to, outbound } = await connect(t, joinSmallMessages)
    const sent = Buffer.from(Array.from({ length: 4_000 }, (_, n) => n % 251))
    const received: Uint8Array[] = []
    to.addEventListener('message', ({ data }) => received.push(data.subarray()))
    const send = outbound.send.bind(outbound)
    outbound.send = data => {
      for (const byte of data.subarray()) send(Uint8Array.of(byte))
      return true
    }
    from.send(sent)
    await until(() => Buffer.concat(received).byteLength === sent.byteLength)
    assert.deepEqual(Buffer.concat(received), sent)
  })

  refusesWithout(PACKAGE, { secureInbound: () => {}, secureOutbound: () => {} }, joinSmallMessages)

  for (const method of ['secureInbound', 'secureOutbound'] as const)
    describe(`${method}()`, () => {
      const members = {
        'decoder.buffer': {},
        'decoder.decode': () => [],
        'decoder.lengthDecoder': () => 0,
        onData: () => {},
      }
      refusesWithout(PACKAGE, members, async (connection: MessageStream) => {
        const secure = async (): Promise<unknown> => ({ connection })
        const encrypter = { secureInbound: secure, secureOutbound: secure } as unknown as ConnectionEncrypter
        joinSmallMessages(encrypter)
        await encrypter[method](connection)
      })
    })
})

/** In how many pieces a connection keeps a message of which so many have come. */
async function piecesKept(t: TestContext, patch: (encrypter: ConnectionEncrypter) => void): Promise<number> {
  const { to, outbound } = await connect(t, patch)
  const { buffer } = (to as Secured).decoder
  outbound.send(Buffer.of(0xff, 0xff))
  for (let n = 0; n < PIECES - 1; n++) outbound.send(Buffer.of(0))
  await until(() => buffer.byteLength === PIECES + 1)
  return [...buffer].length
}

async function connect(
  t: TestContext,
  patch: (encrypter: ConnectionEncrypter) => void,
): Promise<{ from: MessageStream; to: MessageStream; outbound: MessageStream }> {
  const [outbound, inbound] = multiaddrConnectionPair()
  t.after(() => outbound.abort(new Error('the test is over')))
  const [dialer, listener] = [await encrypterWith(patch), await encrypterWith(patch)]
  const [{ connection: from }, { connection: to }] = await Promise.all([
    dialer.secureOutbound(outbound, { skipStreamMuxerNegotiation: true }),
    listener.secureInbound(inbound, { skipStreamMuxerNegotiation: true }),
  ])
  return { from, to, outbound }
}
