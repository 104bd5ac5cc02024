/** Who gets the places of a relay when remotes take as many as they can. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import tls from 'node:tls'
import { setTimeout as pause } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer } from '../../peer/index.ts'
import { ConfiguredAdmission } from '../../relay/admission/configured-admission.ts'
import { startStatusServer } from '../../relay/index.ts'
import { attack, leftOpen, tcpPortOf, UNFINISHED, UNFINISHED_TLS } from './attackers.ts'
import { certificateFiles } from './certificates.ts'
import { startRelay } from './circuit-stage.ts'
import {
  answerCalls,
  ask,
  connectTo,
  nextEvent,
  openCircuit,
  openHop,
  RESERVE,
  startMember,
  startVisitor,
  statusOf,
  streamEnd,
} from './hop-client.ts'
import { directory, Program, RELAY } from './program.ts'
import { once, until } from '../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit } from '../../relay/index.ts'
import type { Member } from './hop-client.ts'

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

describe('a relay whose reservations one address has taken', { concurrency: 4 }, () => {
  it(
    'gives one to a peer of another address, and closes the connection of the peer that lost it',
    LIMIT,
    async t => {
      const relay = await startRelay(t, { maxReservations: 3 })
      const attackers: Member[] = []
      for (let n = 0; n < 3; n++) {
        const visitor = await startVisitor(t, relay, '127.0.0.2')
        assert.equal(await statusOf(visitor.connection, RESERVE), 100)
        attackers.push(visitor)
      }
      const ended = nextEvent(relay, 'reservation:ended')
      const member = await startMember(t, relay)
      const { peerId, reason } = await ended
      assert.equal(reason, 'replaced')
      assert.ok(peerId.equals(attackers[0]!.node.peerId), 'the oldest one')
      await until(() => attackers[0]?.connection.status !== 'open', 'its peer can notice')
      assert.equal(await statusOf(attackers[1]!.connection, RESERVE), 100, 'others refresh theirs')
      assert.deepEqual([relay.reservations.size, member.connection.status], [3, 'open'])
    },
  )
})

describe('circuits to a peer of a public relay', { concurrency: 4 }, () => {
  /** A victim with a reservation, and attackers who have taken all of its circuits. */
  async function startVictim(
    t: TestContext,
    { ids, from }: { ids: number; from: string },
  ): Promise<{ relay: Relay; victim: Member; taken: Stream[] }> {
    // the rates of an address are another matter: the victim, the newcomer and the attackers may share it
    const rates = { connectionsPerSecondPerIp: Infinity, circuitsPerSecondPerIp: Infinity }
    const relay = await startRelay(t, { profile: 'public', ...rates })
    const victim = await startMember(t, relay)
    await answerCalls(victim)
    const taken: Stream[] = []
    for (let n = 0; n < ids; n++) {
      const { connection } = await startVisitor(t, relay, from)
      for (let each = 0; each < 16 / ids; each++) {
        const { status, stream } = await ask(connection, connectTo(victim.node.peerId))
        assert.equal(status, 100)
        taken.push(stream)
      }
    }
    return { relay, victim, taken }
  }

  for (const [who, from, ids] of [
    ['four ids of another address', '127.0.0.2', 4],
    ['four ids of its own address', '127.0.0.1', 4],
    ['sixteen ids of another address', '127.0.0.2', 16],
  ] as const)
    it(`that ${who} have taken leave one to a newcomer`, LIMIT, async t => {
      const { relay, victim, taken } = await startVictim(t, { ids, from })
      const closed = nextEvent(relay, 'circuit:closed')
      const newcomer = await startVisitor(t, relay)
      const circuit = await openCircuit(newcomer, victim)
      assert.equal((await closed).reason, 'replaced')
      await until(() => taken.filter(it => it.status === 'open').length === 15, 'one circuit has gone')
      assert.equal(relay.circuits, 16)
      // one more of theirs takes the place of another of theirs
      const attacker = await startVisitor(t, relay, from)
      await statusOf(attacker.connection, connectTo(victim.node.peerId))
      assert.equal(relay.circuits, 16)
      assert.equal(circuit.initiator.status, 'open')
    })

  it('that sixteen ids of its own address keep idle leave one to a newcomer after 30 s', LIMIT, async t => {
    const { relay, victim } = await startVictim(t, { ids: 16, from: '127.0.0.1' })
    const newcomer = await startVisitor(t, relay)
    const request = connectTo(victim.node.peerId)
    assert.equal(await statusOf(newcomer.connection, request), 201)
    const startedAt = performance.now()
    let status: number | undefined
    while (status !== 100 && performance.now() - startedAt < 40_000) {
      await pause(1_000)
      status = await statusOf(newcomer.connection, request)
    }
    assert.equal(status, 100)
    assert.equal(relay.circuits, 16)
  })

  it('that are being opened make room, too', LIMIT, async t => {
    const relay = await startRelay(t, { maxCircuits: 8, maxCircuitsPerPair: Infinity })
    const [silent, victim] = [await startMember(t, relay), await startMember(t, relay)]
    await answerCalls(silent, Buffer.alloc(0))
    const { connection } = await startVisitor(t, relay, '127.0.0.2')
    for (let n = 0; n < 8; n++) (await openHop(connection)).send(connectTo(silent.node.peerId))
    await until(() => relay.circuits === 8, 'all places are taken')
    const refused = nextEvent(relay, 'circuit:refused')
    await openCircuit(await startVisitor(t, relay), victim)
    assert.equal((await refused).reason, 'too-many')
    assert.equal(relay.circuits, 8)
  })

  it('that strangers have taken make room for a peer that shows a token', LIMIT, async t => {
    const admission = new ConfiguredAdmission({
      reserve: { allow: [], deny: [] },
      connect: { allow: [], deny: [] },
      target: { allow: [], deny: [] },
      tokens: ['a token of the operator'],
      tokenFor: 'reserve',
      callOutUrl: undefined,
    })
    const relay = await startRelay(t, { admission, maxCircuitsPerPeer: 2 })
    const relays = [...relay.addrs]
    const listener = await createPeer({ relays, relayToken: 'a token of the operator' })
    t.after(() => listener.stop())
    await listener.reachable(within(10_000))
    for (let n = 0; n < 2; n++) {
      const { connection } = await startVisitor(t, relay, `127.0.0.${n + 2}`)
      assert.equal((await ask(connection, connectTo(listener.peerId))).status, 100)
    }
    const stranger = await startVisitor(t, relay, '127.0.0.4')
    assert.equal(await statusOf(stranger.connection, connectTo(listener.peerId)), 201)
    const dialer = await createPeer({ relays, reserve: false, relayToken: 'a token of the operator' })
    t.after(() => dialer.stop())
    const connection = await dialer.connect(listener.peerId, within(10_000))
    assert.ok((await connection.ping(within(5_000))).rttMs > 0)
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

describe('the lines of a relay', () => {
  it('are few where a peer is refused again and again, and count all refusals', LIMIT, async t => {
    const args = ['--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', await directory(t), '--status', 'off']
    const relay = new Program(t, RELAY, ['--json', '--deny-reserve', '127.0.0.0/8', ...args])
    const { addrs } = await relay.line('relay:ready')
    const addr = multiaddr((addrs as string[])[0] ?? '')
    const { connection, node } = await startVisitor(t, { addrs: [addr] })
    for (let n = 0; n < 40; n++) {
      assert.equal(await statusOf(connection, RESERVE), 202)
      assert.equal(await statusOf(connection, connectTo(node.peerId)), 204)
    }
    relay.child.kill('SIGINT')
    await relay.ended()
    for (const [event, reason] of [
      ['reservation:refused', 'denied'],
      ['circuit:refused', 'no-reservation'],
    ] as const) {
      const lines = relay.lines.filter(it => it.event === event && it['reason'] === reason)
      const counts = lines.map(it => Number(it['count'] ?? 1))
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        40,
      )
      // one window of 10 s, or a few on a busy machine
      assert.ok(lines.length <= 18, `${lines.length} lines of ${event}`)
    }
  })
})
