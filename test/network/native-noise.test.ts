/** Noise with keys that are made once: it speaks with every other Noise, and notices what was changed on the way. */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { nativeNoise } from '../../src/patches/libp2p-noise/native-cipher.ts'
import { once } from '../waits.ts'
import type { Libp2p, Stream } from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const DIGEST = '/test/digest/1'

/** Around the 64 KiB of a message of Noise, and the 1200 bytes at which the stock one takes another cipher. */
const SIZES = [1, 100, 1199, 1200, 65_518, 65_519, 65_520, 1_000_000]

async function start(t: TestContext, encrypter: typeof noise | typeof nativeNoise): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encrypter()],
    streamMuxers: [yamux()],
  })
  t.after(() => node.stop())
  await node.handle(DIGEST, answerDigest)
  return node
}

async function answerDigest(stream: Stream): Promise<void> {
  const hash = createHash('sha256')
  for await (const data of stream) hash.update(data.subarray())
  stream.send(hash.digest())
  await stream.close()
}

for (const [what, dialer, listener] of [
  ['both sides', nativeNoise, nativeNoise],
  ['the dialer alone', nativeNoise, noise],
  ['the listener alone', noise, nativeNoise],
] as const)
  it(`carries messages of every size with ${what}`, LIMIT, async t => {
    const [from, to] = [await start(t, dialer), await start(t, listener)]
    for (const size of SIZES) {
      const bytes = randomBytes(size)
      const stream = await from.dialProtocol(to.getMultiaddrs(), DIGEST)
      stream.send(bytes)
      await stream.close()
      const answer: Buffer[] = []
      for await (const data of stream) answer.push(Buffer.from(data.subarray()))
      assert.equal(Buffer.concat(answer).toString('hex'), createHash('sha256').update(bytes).digest('hex'))
    }
  })

describe('a byte that was changed on the way', () => {
  // within the handshake, and beyond it
  for (const at of [150, 3000])
    it(`ends the connection, at ${at}`, LIMIT, async t => {
      const [from, to] = [await start(t, nativeNoise), await start(t, nativeNoise)]
      const addr = await throughMeddler(t, to, at)
      const stream = await from.dialProtocol(multiaddr(addr), DIGEST).catch(() => undefined)
      if (stream === undefined) return assert.ok(at < 1000, 'it got as far as the handshake')
      const closed = once(stream, 'close', { signal: AbortSignal.timeout(10_000) })
      stream.send(randomBytes(20_000))
      await closed
      assert.equal(to.getConnections().length, 0)
    })
})

/** The address of a port that leads to a node, and changes one byte on the way there. */
async function throughMeddler(t: TestContext, to: Libp2p, at: number): Promise<string> {
  const target = Number(/\/tcp\/(\d+)/.exec(String(to.getMultiaddrs()[0]))?.[1])
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1')
    let seen = 0
    near.on('data', (chunk: Buffer) => {
      const index = at - seen
      if (index >= 0 && index < chunk.length) chunk.writeUInt8(chunk.readUInt8(index) ^ 1, index)
      seen += chunk.length
      far.write(chunk)
    })
    far.pipe(near)
    for (const socket of [near, far]) {
      socket.on('error', () => {})
      socket.on('close', () => [near, far].forEach(it => it.destroy()))
      t.after(() => socket.destroy())
    }
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${to.peerId}`
}
