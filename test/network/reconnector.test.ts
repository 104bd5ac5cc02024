/** A remote peer that is kept connected, and does not want to be. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createServer } from 'node:net'
import { queryObjects } from 'node:v8'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createPeer } from '../../peer/index.ts'
import { startPlain, startRelay } from './circuit-stage.ts'
import { Reconnector } from '../../peer/connections/reconnector.ts'
import { once, until } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'

const OPENS = 5

/** Of the pauses between the opens: the first path is made again at once, then after 250, 500 and 1,000 ms at the least (backoff.ts). */
const LEAST_MS = 1_750

describe('a remote peer that ends each connection at once', () => {
  it('is connected again with growing pauses', { timeout: 30_000 }, async t => {
    const relay = await startRelay(t)
    const plain = await startPlain(t, relay)
    const peer = await createPeer()
    t.after(() => peer.stop())
    const openedAt: number[] = []
    peer.libp2p.addEventListener('connection:open', ({ detail }) => {
      if (detail.remotePeer.equals(plain.peerId)) openedAt.push(performance.now())
    })
    plain.addEventListener('connection:open', ({ detail }) => {
      if (detail.remotePeer.equals(peer.peerId)) detail.abort(new Error('not you'))
    })
    await peer.connect(`${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`)
    await until(() => openedAt.length >= OPENS, 'it was connected again')
    const tookMs = (openedAt[OPENS - 1] ?? 0) - (openedAt[0] ?? 0)
    assert.ok(tookMs >= LEAST_MS, `${OPENS} connections in ${tookMs} ms`)
  })
})

describe('a remote peer that several connect to at once', () => {
  it('is reached over one circuit by all of them, and over another one later', {
    timeout: 30_000,
  }, async t => {
    const relay = await startRelay(t)
    const plain = await startPlain(t, relay)
    const peer = await createPeer()
    t.after(() => peer.stop())
    let circuits = 0
    relay.addEventListener('circuit:opened', () => circuits++)
    const target = `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`
    const impatient = peer
      .connect(target, { signal: AbortSignal.abort() })
      .catch((error: Error) => error.name)
    const connections = await Promise.all(Array.from({ length: 10 }, () => peer.connect(target)))
    assert.equal(await impatient, 'AbortError')
    assert.equal(circuits, 1)
    await connections[0]?.close()
    await peer.connect(target)
    assert.equal(circuits, 2)
  })
})

/** A TCP server that accepts and says nothing: how many dials it saw, and an address for a peer there. */
async function startSilent(
  t: TestContext,
): Promise<{ readonly dials: number; addr: (id: string) => string }> {
  let dials = 0
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    dials++
    sockets.add(socket.on('error', () => {}))
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    get dials() {
      return dials
    },
    addr: id => `/ip4/127.0.0.1/tcp/${port}/p2p/${id}`,
  }
}

async function somePeerId(): Promise<string> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
}

describe('a connect() that is aborted', () => {
  it('is followed by one that dials again', { timeout: 30_000 }, async t => {
    const silent = await startSilent(t)
    const peer = await createPeer()
    t.after(() => peer.stop())
    const target = silent.addr(await somePeerId())
    for (let n = 1; n <= 4; n++) {
      await assert.rejects(peer.connect(target, { signal: AbortSignal.timeout(300) }), {
        name: 'TimeoutError',
      })
      assert.equal(silent.dials, n)
    }
  })

  it('leaves nothing behind', { timeout: 30_000 }, async t => {
    const silent = await startSilent(t)
    const peer = await createPeer()
    t.after(() => peer.stop())
    const before = queryObjects(Reconnector, { format: 'count' })
    for (let n = 0; n < 10; n++) {
      const signal = AbortSignal.timeout(100)
      await assert.rejects(peer.connect(silent.addr(await somePeerId()), { signal }))
    }
    await until(() => queryObjects(Reconnector, { format: 'count' }) <= before, 'the reconnectors are gone')
  })
})
