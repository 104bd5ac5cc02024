/**
 * What remotes that abuse AutoNAT v2 get out of it: nothing, and in the end nothing is held.
 *
 * The runner fails a test during which a rejection goes unhandled, so each test asserts that, too.
 */

import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { startStatusServer } from '../../relay/index.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { startRelay, startTrap } from './circuit-stage.ts'
import {
  askByHand,
  DIAL_BACK,
  dialRequest,
  fixed64Field,
  loopback,
  openRequest,
  readResponse,
  startVerifier,
  turnsOf,
} from './dial-back-stage.ts'
import fc from 'fast-check'
import { mutated } from '../fuzz/frames.ts'
import { framed, startClient, startVisitor, streamEnd } from './hop-client.ts'
import { once, until } from '../waits.ts'
import type { Socket, AddressInfo } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 60_000 }
const OK = 200
const E_REQUEST_REJECTED = 100
const E_DIAL_REFUSED = 101
const E_DIAL_ERROR = 100

/** A listener that does to whoever comes what it is told. */
async function startTarget(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    onSocket(socket)
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('a requester', { concurrency: true }, () => {
  it('that asks several times at once is dialled once, and refused the rest', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    let visits = 0
    const port = await startTarget(t, () => visits++)
    const streams = [
      await openRequest(connection),
      await openRequest(connection),
      await openRequest(connection),
    ]
    for (const stream of streams) stream.send(dialRequest([loopback(port).bytes]))
    const answers = await Promise.all(streams.map(async stream => readResponse(stream)))
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual(
      statuses.toSorted((one, other) => one - other),
      [E_REQUEST_REJECTED, E_REQUEST_REJECTED, OK],
    )
    assert.equal(visits, 1)
    assert.equal(turnsOf(relay), 0)
  })

  it('that asks too often is refused, by whatever name', LIMIT, async t => {
    const relay = await startRelay(t)
    const trap = await startTrap(t)
    const request = dialRequest([loopback(trap.port).bytes])
    const statuses: number[] = []
    for (let n = 0; n < 2; n++) {
      const { connection } = await startVisitor(t, relay)
      for (let asked = 0; asked < 35; asked++) statuses.push((await askByHand(connection, request)).status)
    }
    assert.equal(statuses.indexOf(E_REQUEST_REJECTED), 60)
    assert.equal(statuses.lastIndexOf(OK), 59)
    assert.equal(trap.visits, 60)
  })

  it('of one network has eight dials at once', LIMIT, async t => {
    const relay = await startRelay(t)
    const port = await startTarget(t, () => {})
    const answers = Array.from({ length: 10 }, async () => {
      const { connection } = await startVisitor(t, relay)
      return askByHand(connection, dialRequest([loopback(port).bytes]))
    })
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    assert.equal(statuses.filter(status => status === OK).length, 8)
    assert.equal(turnsOf(relay), 0)
  })

  for (const [what, bytes] of [
    ['says nothing', Buffer.alloc(0)],
    ['stops in the middle of its request', dialRequest([loopback(4001).bytes]).subarray(0, 9)],
  ] as const)
    it(`that ${what} is reset after 5 s, and takes no turn`, LIMIT, async t => {
      const relay = await startRelay(t)
      const { connection } = await startVisitor(t, relay)
      const stream = await openRequest(connection)
      if (bytes.byteLength > 0) stream.send(bytes)
      assert.equal(await streamEnd(stream), 'reset')
      assert.equal(turnsOf(relay), 0)
      // nor has it spoilt the next one
      const answer = await askByHand(connection, dialRequest([]))
      assert.equal(answer.status, E_DIAL_REFUSED)
    })

  it('that goes away while it is dialled frees its turn', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    const dialled = Promise.withResolvers<void>()
    const port = await startTarget(t, () => dialled.resolve())
    const stream = await openRequest(connection)
    stream.send(dialRequest([loopback(port).bytes]))
    await dialled.promise
    connection.abort(new Error('gone'))
    await until(() => turnsOf(relay) === 0, 'the turn is free')
    assert.equal(relay.libp2p.getConnections().length, 0)
  })

  it('that sends more than a request is reset', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    const port = await startTarget(t, () => {})
    const stream = await openRequest(connection)
    stream.send(dialRequest([loopback(port).bytes]))
    stream.send(Buffer.alloc(200_000))
    assert.equal(await streamEnd(stream), 'reset')
    await until(() => turnsOf(relay) === 0, 'the turn is free')
  })

  it('that sends frames which are nearly right is answered or reset, and nothing is held', LIMIT, async t => {
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)
    const relay = await startRelay(t)
    const trap = await startTrap(t)
    const valid = [dialRequest([loopback(trap.port).bytes]), dialRequest([])]
    const { connection } = await startVisitor(t, relay)
    for (const frame of fc.sample(mutated(valid), { seed, numRuns: 55 })) {
      const stream = await openRequest(connection)
      const answer = readResponse(stream).then(
        ({ status }) => String(status),
        (error: Error) => error.name,
      )
      try {
        stream.send(frame)
        await stream.close()
      } catch {
        // the relay was faster
      }
      assert.match(
        await answer,
        /^(101|200|StreamResetError)$/,
        `FUZZ_SEED=${seed}: ${frame.toString('hex')}`,
      )
      await until(() => turnsOf(relay) === 0, 'the turn is free')
    }
    assert.equal(connection.status, 'open', `FUZZ_SEED=${seed}`)
    assert.equal(relay.libp2p.getConnections().length, 1)
  })
})

/** A proxy on this host that forwards to the relay; peers seem to come from the given address. */
async function startProxy(t: TestContext, relay: Relay, localAddress: string): Promise<number> {
  const { port } = endpointOf(relay.addrs[0] as Multiaddr)
  return startTarget(t, socket => {
    const onwards = connect({ port, host: '127.0.0.1', localAddress })
    t.after(() => onwards.destroy())
    socket.pipe(onwards.on('error', () => {})).pipe(socket)
  })
}

describe('a relay behind a proxy on its host', { concurrency: true }, () => {
  for (const localAddress of ['127.0.0.1', '127.0.0.2'] as const)
    it(`dials nothing for peers that seem to come from ${localAddress}`, LIMIT, async t => {
      const relay = await startRelay(t, { dialBackToThisHost: false })
      const status = await startStatusServer(relay, { host: '127.0.0.1', port: 0 })
      t.after(() => status.stop())
      const trap = await startTrap(t)
      const node = await startClient(t)
      const proxy = await startProxy(t, relay, localAddress)
      const connection = await node.dial(loopback(proxy).encapsulate(`/p2p/${relay.peerId}`))
      const ports = [trap.port, Number(new URL(status.url).port), endpointOf(relay.addrs[0]!).port]
      for (const port of ports) {
        const answer = await askByHand(connection, dialRequest([loopback(port, localAddress).bytes]))
        assert.deepEqual(answer, { status: E_DIAL_REFUSED, index: 0, dialStatus: 0 })
      }
      assert.equal(trap.visits, 0)
    })
})

describe('what is dialled', { concurrency: true }, () => {
  for (const [what, onSocket] of [
    ['says a length without an end', (socket: Socket) => socket.write(Buffer.alloc(60_000, 0x80))],
    ['speaks another protocol', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n'.repeat(9))],
    ['hangs up', (socket: Socket) => socket.resetAndDestroy()],
  ] as const)
    it(`and ${what} is left at once`, LIMIT, async t => {
      const relay = await startRelay(t)
      const { connection } = await startVisitor(t, relay)
      const port = await startTarget(t, onSocket)
      const startedAt = performance.now()
      const answer = await askByHand(connection, dialRequest([loopback(port).bytes]))
      assert.deepEqual([answer.status, answer.dialStatus], [OK, E_DIAL_ERROR])
      assert.ok(performance.now() - startedAt < 3_000, 'it is not waited for')
      await until(() => turnsOf(relay) === 0, 'the turn is free')
    })
})

describe('whoever brings a nonce', { concurrency: true }, () => {
  it('that is none is reset, and takes nothing from the node', LIMIT, async t => {
    const { node, addr } = await startVerifier(t)
    const stranger = await startClient(t)
    const connection = await stranger.dial(addr)
    for (const frame of fc.sample(mutated([framed(fixed64Field(1, 5n))]), { seed: 1, numRuns: 100 })) {
      const stream = await connection.newStream(DIAL_BACK)
      stream.send(frame)
      stream.close().catch(() => {})
      await streamEnd(stream)
    }
    await until(
      () => node.getConnections().every(it => it.streams.every(({ protocol }) => protocol !== DIAL_BACK)),
      'no stream is left',
    )
  })

  it('has one stream at a time', LIMIT, async t => {
    const { addr } = await startVerifier(t)
    const stranger = await startClient(t)
    const connection = await stranger.dial(addr)
    const first = await connection.newStream(DIAL_BACK)
    await assert.rejects(async () => {
      const second = await connection.newStream(DIAL_BACK)
      second.send(framed(fixed64Field(1, 5n)))
      if ((await streamEnd(second)) === 'reset') throw new Error('reset')
    })
    assert.equal(first.status, 'open')
  })
})
