import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { boundAnswers } from '../../../../../src/patches/libp2p-identify/unbounded-answer.ts'
import { field, framed } from '../../../../network/hop-client.ts'
import { startNode } from '../libp2p/node.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Identify } from '@libp2p/identify'
import type { IdentifyResult } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const ADDR = multiaddr('/ip4/11.0.0.1/tcp/4001')
const PROTOCOL = '/ipfs/id/1.0.0'

describe('identify() of @libp2p/identify', LIMIT, () => {
  it('parses any number of addresses, which is the fault', async t => {
    const { listenAddrs } = await identified(t, () => {}, manyAddrs(1_000))
    assert.equal(listenAddrs.length, 1_000)
  })
})

describe('boundAnswers()', LIMIT, () => {
  it('keeps 512 addresses', async t => {
    const { listenAddrs } = await identified(t, boundAnswers, manyAddrs(1_000))
    assert.equal(listenAddrs.length, 512)
  })

  it('looks at no address after eight broken ones', async t => {
    const broken = Array.from({ length: 8 }, () => field(2, Buffer.of(4, 1)))
    const { listenAddrs } = await identified(t, boundAnswers, [
      Buffer.concat([field(2, ADDR.bytes), ...broken, field(2, ADDR.bytes)]),
    ])
    assert.equal(listenAddrs.length, 1)
  })

  it('reads all that is said in several messages', async t => {
    const result = await identified(t, boundAnswers, [
      Buffer.concat([
        field(3, Buffer.from('/a/1')),
        field(5, Buffer.from('v')),
        field(6, Buffer.from('agent')),
      ]),
      Buffer.concat([field(2, ADDR.bytes), field(3, Buffer.from('/b/1')), field(4, ADDR.bytes)]),
    ])
    const { protocols, protocolVersion, agentVersion, listenAddrs, observedAddr } = result
    assert.deepEqual(protocols, ['/a/1', '/b/1'])
    assert.deepEqual([protocolVersion, agentVersion], ['v', 'agent'])
    assert.deepEqual([...listenAddrs, observedAddr].map(String), [String(ADDR), String(ADDR)])
  })

  for (const [what, bytes] of [
    ['a length of eight bytes and zeros', Buffer.concat([Buffer.alloc(8, 0x80), Buffer.alloc(64)])],
    ['no message', framed(Buffer.of(0x0f))],
    ['nothing', Buffer.alloc(0)],
  ] as const)
    it(`rejects when the remote sends ${what}`, async t => {
      await assert.rejects(answeredWith(t, boundAnswers, () => bytes))
    })

  const members = {
    _identify: async () => {},
    protocol: PROTOCOL,
    timeout: 1,
    runOnLimitedConnection: true,
  }
  refusesWithout('@libp2p/identify', members, boundAnswers)
})

function manyAddrs(count: number): Buffer[] {
  const addr = (n: number): Buffer => field(2, multiaddr(`/ip4/11.0.${n >> 8}.${n & 255}/tcp/1`).bytes)
  return [
    Buffer.concat(Array.from({ length: count / 2 }, (_, n) => addr(n))),
    Buffer.concat(Array.from({ length: count / 2 }, (_, n) => addr(n + count / 2))),
  ]
}

/** What a node learns from these messages. The public key is added to the first. */
async function identified(
  t: TestContext,
  patch: (service: Identify) => void,
  messages: readonly Buffer[],
): Promise<IdentifyResult> {
  return answeredWith(t, patch, key =>
    Buffer.concat(messages.map((body, n) => framed(n === 0 ? Buffer.concat([key, body]) : body))),
  )
}

async function answeredWith(
  t: TestContext,
  patch: (service: Identify) => void,
  answer: (key: Buffer) => Buffer,
): Promise<IdentifyResult> {
  const { node: remote } = await startNode(t)
  const key = field(1, publicKeyToProtobuf(remote.peerId.publicKey!))
  await remote.handle(PROTOCOL, async stream => {
    stream.send(answer(key))
    await stream.close()
  })
  let service: Identify | undefined
  const { node } = await startNode(t, components => {
    service = identify({ runOnConnectionOpen: false, maxMessageSize: 32 * 1024 })(components as never)
    patch(service)
  })
  return service!.identify(await node.dial(remote.getMultiaddrs()), { signal: AbortSignal.timeout(5_000) })
}
