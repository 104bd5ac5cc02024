/** Who gets the places of a relay when remotes take as many as they can. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import tls from 'node:tls'
import { createPeer } from '../../peer/index.ts'
import { startStatusServer } from '../../relay/index.ts'
import { attack, leftOpen, tcpPortOf, UNFINISHED, UNFINISHED_TLS } from './attackers.ts'
import { certificateFiles } from './certificates.ts'
import { startRelay } from './circuit-stage.ts'
import { openCircuit, openHop, startMember, startVisitor, streamEnd } from './hop-client.ts'
import { once, until } from '../waits.ts'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit } from '../../relay/index.ts'

const LIMIT = { timeout: 60_000 }
const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

/** Two peers reserve and connect at this relay. */
async function assertServes(t: TestContext, { addrs }: Relay): Promise<void> {
  const listener = await createPeer({ relays: [...addrs] })
  t.after(() => listener.stop())
  await listener.reachable(within(10_000))
  const dialer = await createPeer({ relays: [...addrs], reserve: false })
  t.after(() => dialer.stop())
  const connection = await dialer.connect(listener.peerId, within(10_000))
  assert.ok((await connection.ping(within(5_000))).rttMs > 0)
}

/** A client opens WebSockets over TLS, without the handshake of libp2p: no client here trusts the certificate. */
async function assertOpensWebSockets(port: number): Promise<void> {
  for (let n = 0; n < 3; n++) {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    try {
      socket.write(WEB_SOCKET_REQUEST)
      const [answer] = (await once(socket, 'data', within(5_000))) as [Buffer]
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /)
    } finally {
      socket.destroy()
    }
  }
}

const WEB_SOCKET_REQUEST = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Version: 13\r\n\r\n',
].join('\r\n')

describe('a listener whose places are taken by sockets that send', { concurrency: 4 }, () => {
  const listeners = [
    ['tcp', '', UNFINISHED],
    ['WebSockets', '/ws', UNFINISHED],
    ['WebSockets over TLS', '/tls/ws', UNFINISHED_TLS],
  ] as const

  for (const [kind, suffix, unfinished] of listeners)
    for (const [what, bytes] of Object.entries(unfinished))
      it(`${what} serves others over ${kind}`, LIMIT, async t => {
        const init: RelayInit = { listen: [`/ip4/127.0.0.1/tcp/0${suffix}`], maxConnections: 20 }
        const relay = await startRelay(t, suffix === '/tls/ws' ? { ...init, ...certificateFiles(t) } : init)
        const at = { port: tcpPortOf(relay.addrs[0]), from: '127.0.0.2' }
        const attackers = await attack(t, at, 40, bytes)
        await leftOpen(attackers, 20)
        if (suffix === '/tls/ws') await assertOpensWebSockets(at.port)
        else await assertServes(t, relay)
        assert.ok(attackers.open < 20, 'the newcomers have taken places of attackers')
      })
})

describe('sockets that finish nothing', { concurrency: 4 }, () => {
  it('have no more places than one network may have, whichever listener they use', LIMIT, async t => {
    const relay = await startRelay(t, {
      listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
      maxConnectionsPerNetwork: 10,
    })
    const [tcp, ws] = relay.addrs.map(tcpPortOf)
    const first = await attack(t, { port: tcp!, from: '127.0.0.2' }, 8, '')
    const second = await attack(t, { port: ws!, from: '127.0.0.2' }, 8, '')
    await until(() => first.open + second.open === 10, 'ten are left')
    assert.equal(second.open, 8, 'the oldest have gone')
    await assertServes(t, relay)
  })

  it('are closed 10 s after they were accepted', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'], ...certificateFiles(t) })
    const at = { port: tcpPortOf(relay.addrs[0]), from: '127.0.0.2' }
    const startedAt = performance.now()
    const attackers = await Promise.all(
      Object.values(UNFINISHED_TLS).map(async bytes => attack(t, at, 3, bytes)),
    )
    await Promise.all(attackers.map(async it => leftOpen(it, 0, 15_000)))
    assert.ok(performance.now() - startedAt > 9_000)
  })
})

describe('a relay that is full of idle strangers', { concurrency: 4 }, () => {
  it('closes the oldest one for a newcomer, and keeps peers with a reservation', LIMIT, async t => {
    const relay = await startRelay(t, { maxConnections: 6 })
    const members = [await startMember(t, relay), await startMember(t, relay)]
    const strangers = []
    for (let n = 0; n < 4; n++) strangers.push(await startVisitor(t, relay))
    const [oldest, ...others] = strangers.map(it => it.connection)
    const newcomer = await startMember(t, relay)
    await until(() => oldest?.status !== 'open', 'the oldest stranger has gone')
    const kept = [...members, newcomer].map(it => it.connection)
    assert.deepEqual(
      [...kept, ...others].map(it => it.status),
      Array.from({ length: 6 }, () => 'open'),
    )
    assert.equal(relay.reservations.size, 3)
  })

  it('closes no stranger that uses a circuit', LIMIT, async t => {
    const relay = await startRelay(t, { maxConnections: 3 })
    const [user, member] = [await startVisitor(t, relay), await startMember(t, relay)]
    const circuit = await openCircuit(user, member)
    const idle = await startVisitor(t, relay)
    const newcomer = await startVisitor(t, relay)
    await until(() => idle.connection.status !== 'open', 'the idle stranger has gone')
    assert.deepEqual([user.connection.status, newcomer.connection.status], ['open', 'open'])
    circuit.initiator.abort(new Error('enough'))
    await until(() => relay.circuits === 0, 'the circuit has ended')
    await startVisitor(t, relay)
    await startVisitor(t, relay)
    await until(() => user.connection.status !== 'open', 'the stranger has no circuit any more')
    assert.equal(member.connection.status, 'open')
  })

  it('closes a peer whose reservation has ended like any other stranger', LIMIT, async t => {
    const relay = await startRelay(t, { maxConnections: 2, reservationTtlMs: 1_000 })
    const member = await startMember(t, relay)
    // a stream that is open keeps the connection after the end of the reservation
    const stream = await openHop(member.connection)
    await until(() => relay.reservations.size === 0, 'the reservation has ended')
    await startVisitor(t, relay)
    await startVisitor(t, relay)
    assert.notEqual(await streamEnd(stream), 'open')
  })
})

describe('the status server', { concurrency: 4 }, () => {
  for (const [what, bytes] of Object.entries(UNFINISHED))
    it(`answers while 200 sockets send ${what}`, LIMIT, async t => {
      const relay = await startRelay(t)
      const status = await startStatusServer(relay, { host: '127.0.0.1', port: 0 })
      t.after(() => status.stop())
      const at = { port: Number(new URL(status.url).port), from: '127.0.0.1' }
      const attackers = await attack(t, at, 200, bytes)
      for (const path of ['/healthz', '/metrics', '/status'])
        assert.equal((await fetch(`${status.url}${path}`, within(5_000))).status, 200)
      await leftOpen(attackers, 64)
      // those that went on
      await leftOpen(attackers, 0, 15_000)
    })
})
