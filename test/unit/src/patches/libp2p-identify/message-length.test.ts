import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { identify } from '@libp2p/identify'
import { lpStream, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { answerInParts } from '../../../../../src/patches/libp2p-identify/message-length.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

interface Answering extends Identify {
  readonly components: Parameters<typeof answerInParts>[1]
  handleProtocol(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): Promise<void>
}

/** The lengths of the messages by which a node with this many announced addresses answers. */
async function lengthsOf(
  t: TestContext,
  addrs: number,
  patch: (service: Answering) => void,
): Promise<number[]> {
  const announce = Array.from({ length: addrs }, (_, i) => `/ip4/10.1.${i}.1/tcp/4001`)
  const node = await createLibp2p({ addresses: { announce }, services: { identify: identify() } })
  t.after(() => node.stop())
  const service = node.services.identify as Answering
  patch(service)
  const [near, far] = await streamPair()
  t.after(() => near.abort(new Error('the test is over')))
  const answered = service.handleProtocol(far, { remoteAddr: multiaddr('/ip4/192.0.2.1/tcp/4001') })
  const messages = lpStream(near)
  const lengths: number[] = []
  await answered
  for (;;) {
    const message = await messages.read().catch(() => undefined)
    if (message === undefined) return lengths
    lengths.push(message.byteLength)
  }
}

const patched = (service: Answering): void => answerInParts(service, service.components)

describe('@libp2p/identify', LIMIT, () => {
  it('answers with one message, as long as it may be, which is the fault', async t => {
    const [length = 0, ...more] = await lengthsOf(t, 200, () => {})
    assert.ok(length > 4096, `${length} bytes`)
    assert.deepEqual(more, [])
  })
})

describe('answerInParts()', LIMIT, () => {
  it('leaves a short answer in one message', async t => {
    assert.equal((await lengthsOf(t, 10, patched)).length, 1)
  })

  it('makes two of a long one, neither longer than 4096 bytes', async t => {
    const lengths = await lengthsOf(t, 200, patched)
    assert.equal(lengths.length, 2)
    assert.ok(Math.max(...lengths) <= 4096, lengths.join(' '))
  })

  refusesWithout(
    '@libp2p/identify',
    { handleProtocol: () => {}, 'host.protocolVersion': '', 'host.agentVersion': '' },
    service => answerInParts(service as never, {} as never),
  )
})
