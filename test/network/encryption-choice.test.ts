/** Which encryption a node ends up with, by what the other side speaks, and how many connections that takes. */

import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp as stockTcp } from '@libp2p/tcp'
import { tls as stockTls } from '@libp2p/tls'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { commonOptions } from '../../src/node/stack.ts'
import { tcp } from '../../src/transport/shared-port-tcp.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'
import type { Libp2p } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

type Encrypters = NonNullable<Libp2pOptions['connectionEncrypters']>

async function startOurs(t: TestContext, fromPunchPort = false): Promise<Libp2p> {
  const node = await createLibp2p({
    ...commonOptions({ privateKey: await generateKeyPair('Ed25519'), prefersTls: true }),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp({ dialFromPunchPort: () => fromPunchPort })],
  })
  t.after(() => node.stop())
  return node
}

async function startStock(t: TestContext, connectionEncrypters: Encrypters): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [stockTcp()],
    connectionEncrypters,
    streamMuxers: [yamux()],
  })
  t.after(() => node.stop())
  return node
}

/** An address that leads to a node, and counts the connections. */
async function counted(t: TestContext, to: Libp2p): Promise<{ addr: string; count: () => number }> {
  const target = Number(/\/tcp\/(\d+)/.exec(String(to.getMultiaddrs()[0]))?.[1])
  let connections = 0
  const server = createServer(near => {
    connections++
    const far = connect(target, '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      socket.on('error', () => {})
      socket.on('close', () => [near, far].forEach(it => it.destroy()))
    }
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { addr: `/ip4/127.0.0.1/tcp/${port}/p2p/${to.peerId}`, count: () => connections }
}

for (const [what, encrypters, encryption, connections] of [
  ['TLS and Noise', () => [stockTls(), noise()], '/tls/1.0.0', [1, 2]],
  ['Noise and TLS', () => [noise(), stockTls()], '/tls/1.0.0', [1, 2]],
  ['TLS alone', () => [stockTls()], '/tls/1.0.0', [1, 2]],
  ['Noise alone', () => [noise()], '/noise', [1, 2]],
] as ReadonlyArray<[string, () => Encrypters, string, [number, number]]>)
  for (const from of ['an ephemeral port', 'the punch port'])
    it(`dialled from ${from}, a stock node with ${what} gets ${encryption}`, LIMIT, async t => {
      const node = await startOurs(t, from === 'the punch port')
      const stock = await startStock(t, encrypters())
      const { addr, count } = await counted(t, stock)
      for (const expected of connections) {
        const connection = await node.dial(multiaddr(addr))
        assert.equal(connection.encryption, encryption)
        assert.equal(count(), expected)
        await connection.close()
      }
    })

for (const [what, encrypters, encryption] of [
  ['TLS and Noise', () => [stockTls(), noise()], '/tls/1.0.0'],
  ['Noise and TLS', () => [noise(), stockTls()], '/noise'],
  ['Noise alone', () => [noise()], '/noise'],
] as ReadonlyArray<[string, () => Encrypters, string]>)
  it(`a stock node with ${what} that dials ours gets ${encryption}`, LIMIT, async t => {
    const node = await startOurs(t)
    const stock = await startStock(t, encrypters())
    const { encryption: agreed } = await stock.dial(node.getMultiaddrs())
    assert.equal(agreed, encryption)
  })

it('two of ours agree on TLS in one connection', LIMIT, async t => {
  const [from, to] = [await startOurs(t), await startOurs(t)]
  const { addr, count } = await counted(t, to)
  assert.equal((await from.dial(multiaddr(addr))).encryption, '/tls/1.0.0')
  assert.equal(count(), 1)
})

it('a peer that has changed what it speaks is reached all the same', LIMIT, async t => {
  const node = await startOurs(t)
  const privateKey = await generateKeyPair('Ed25519')
  for (const [encrypter, encryption] of [
    [noise, '/noise'],
    [stockTls, '/tls/1.0.0'],
    [noise, '/noise'],
  ] as const) {
    const remote = await createLibp2p({
      privateKey,
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [stockTcp()],
      connectionEncrypters: [encrypter()],
      streamMuxers: [yamux()],
    })
    const connection = await node.dial(remote.getMultiaddrs())
    assert.equal(connection.encryption, encryption)
    await connection.close()
    await remote.stop()
  }
})
