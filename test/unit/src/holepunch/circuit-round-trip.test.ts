/** The round trip that the handshake of a circuit shows to the side that accepts it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { measureCircuits, roundTripOf } from '../../../../src/holepunch/circuit-round-trip.ts'
import type { Connection } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const RELAY = '/ip4/33.0.0.1/tcp/4001/p2p/12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const CIRCUIT = `${RELAY}/p2p-circuit`

interface Socket {
  timeline: object
  send: (data: Uint8Array) => boolean
  onData: (data: Uint8Array) => void
}

type Handshake = (socket: Socket, at: (ms: number) => void) => void | Promise<void>

/** Runs a handshake on a node that measures; resolves with the round trip, and what was sent and received. */
async function run(
  t: TestContext,
  handshake: Handshake,
  addr: string = CIRCUIT,
): Promise<{ rttMs: number | undefined; passed: string[]; socket: Socket; at: (ms: number) => void }> {
  let ms = 0
  t.mock.method(performance, 'now', () => ms)
  const at = (to: number): void => {
    ms = to
  }
  const passed: string[] = []
  const socket = {
    remoteAddr: multiaddr(addr),
    timeline: {},
    send: () => passed.push('sent') > 0,
    onData: () => void passed.push('received'),
  }
  const upgrader = { upgradeInbound: async (it: Socket) => handshake(it, at) }
  measureCircuits(upgrader as never)
  measureCircuits(upgrader as never)
  await upgrader.upgradeInbound(socket)
  return { rttMs: roundTripOf(socket as unknown as Connection), passed, socket, at }
}

const DATA = Buffer.of(1)

describe('the round trip of a circuit', () => {
  it('is the time from what was sent to what came then; all of it passes on', async t => {
    const { rttMs, passed } = await run(t, ({ send, onData }, at) => {
      onData(DATA)
      send(DATA)
      at(1)
      send(DATA)
      at(81)
      onData(DATA)
      at(500)
      onData(DATA)
    })
    assert.equal(rttMs, 80)
    assert.deepEqual(passed, ['received', 'sent', 'sent', 'received', 'received'])
  })

  it('is the longest time, since what was under way already came sooner', async t => {
    const { rttMs } = await run(t, ({ send, onData }, at) => {
      send(DATA)
      at(2)
      onData(DATA)
      send(DATA)
      at(82)
      onData(DATA)
      send(DATA)
      at(83)
      onData(DATA)
    })
    assert.equal(rttMs, 80)
  })

  it('is not changed by what comes after the handshake', async t => {
    const { rttMs, socket, at } = await run(t, ({ send, onData }, to) => {
      send(DATA)
      to(80)
      onData(DATA)
    })
    socket.send(DATA)
    at(5_000)
    socket.onData(DATA)
    assert.deepEqual([rttMs, roundTripOf(socket as unknown as Connection)], [80, 80])
  })

  it('is unknown where nothing was answered', async t => {
    const silent = await run(t, ({ send }) => void send(DATA))
    assert.equal(silent.rttMs, undefined)
  })

  it('is not measured on direct connections', async t => {
    const direct = await run(
      t,
      ({ send, onData }) => {
        send(DATA)
        onData(DATA)
      },
      RELAY,
    )
    assert.equal(direct.rttMs, undefined)
  })

  it('lets the error of a handshake pass on', async t => {
    const failing = run(t, () => {
      throw new Error('no')
    })
    await assert.rejects(failing, { message: 'no' })
  })

  it('refuses an upgrader or a socket of another shape', async () => {
    assert.throws(() => measureCircuits({} as never), { name: 'UpstreamChangedError' })
    const upgrader = { upgradeInbound: async () => {} }
    measureCircuits(upgrader as never)
    const socket = { remoteAddr: multiaddr(CIRCUIT), send: () => true }
    await assert.rejects(
      (upgrader as { upgradeInbound: (it: unknown) => Promise<void> }).upgradeInbound(socket),
      {
        name: 'UpstreamChangedError',
      },
    )
  })
})
