/** Reservations of a peer whose clock is wrong, or is set: when the relay is asked again. The peer's clock is moved by hand, the relay's is the machine's. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { Reservation } from '../../peer/relays/reservations/reservation.ts'
import { ReservationSlots } from '../../peer/relays/reservations/slots.ts'
import { HandClock } from '../unit/hand-clock.ts'
import { startRelay } from './circuit-stage.ts'
import { until } from '../waits.ts'
import { startClient } from './hop-client.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 40_000 }
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** What the peer's clock shows, apart from the relay's. */
const WRONG: ReadonlyArray<[string, number]> = [
  ['right', 0],
  ['6 min behind', -6 * MINUTE],
  ['6 min ahead', 6 * MINUTE],
  ['1 h behind', -HOUR],
  ['1 h ahead', HOUR],
  ['2 days behind', -2 * DAY],
  ['2 days ahead', 2 * DAY],
  ['in 1970', -Date.now()],
]

/** A reservation at a relay, and the times at which it was granted, by the peer's monotonic clock. */
class Stage {
  readonly clock: HandClock
  readonly grantedAt: number[] = []
  readonly losses: string[] = []
  readonly reservation: Reservation

  private constructor(clock: HandClock, reservation: (stage: Stage) => Reservation) {
    this.clock = clock
    this.reservation = reservation(this)
  }

  static async start(
    t: TestContext,
    relay: { peerId: PeerId; addrs: readonly Multiaddr[] },
    offMs: number,
  ): Promise<Stage> {
    const node = await startClient(t)
    const clock = new HandClock(Date.now() + offMs)
    const stage = new Stage(
      clock,
      ({ grantedAt, losses }) =>
        new Reservation(relay, {
          self: node.peerId,
          slots: new ReservationSlots(1),
          clock,
          connect: async ({ addrs }, signal) => node.dial([...addrs], { signal }),
          introduce: async () => {},
          onState: () => {},
          onGranted: () => grantedAt.push(clock.now()),
          onLost: (_, reason) => losses.push(reason),
          onFailed: (_, reason) => losses.push(reason),
        }),
    )
    const running = stage.reservation.run()
    t.after(async () => {
      stage.reservation.end('stopped')
      await running
    })
    await stage.granted(1)
    return stage
  }

  /** Resolves when the relay has granted so many in all, and the next refresh is waited for. */
  async granted(count: number): Promise<void> {
    await until(() => this.grantedAt.length === count && this.clock.nextMs !== undefined, `${count} grants`)
  }

  /** Lets time pass until the relay has granted `times` more; returns how long each lasted, in milliseconds. */
  async refresh(times: number): Promise<number[]> {
    const from = this.grantedAt.length
    for (let n = 1; n <= times; n++) {
      await this.clock.pass(this.clock.nextMs ?? 0)
      await this.granted(from + n)
    }
    const last = this.grantedAt.slice(-times - 1)
    return last.slice(1).map((at, n) => at - (last[n] ?? 0))
  }
}

describe('a peer at a relay of this project', { concurrency: 4 }, () => {
  for (const [what, offMs] of WRONG)
    it(`refreshes a reservation of a minute each half minute when its clock is ${what}`, LIMIT, async t => {
      const relay = await startRelay(t, { reservationTtlMs: MINUTE })
      const stage = await Stage.start(t, relay, offMs)
      const { clock, reservation } = stage
      const lifeMs = (reservation.expiresAt?.getTime() ?? 0) - clock.wall()
      assert.ok(Math.abs(lifeMs - MINUTE) < 5 * SECOND, `lasts ${lifeMs} ms`)
      assert.ok(Math.abs((reservation.clockAheadMs ?? Infinity) + offMs) < 10 * SECOND)
      assert.ok((await stage.refresh(4)).every(ms => ms > 29 * SECOND && ms <= 30 * SECOND))
    })

  it('refreshes when that is due although its clock was set, and not before', LIMIT, async t => {
    const stage = await Stage.start(t, await startRelay(t), 0)
    for (const [, byMs] of WRONG) {
      await stage.clock.pass(10 * MINUTE)
      stage.clock.setWallBy(byMs)
      stage.reservation.wake(false)
      stage.reservation.wake(true)
      const [ms] = await stage.refresh(1)
      assert.equal(ms, 25 * MINUTE)
    }
  })

  it('asks again when the relay has ended the reservation, and not later', LIMIT, async t => {
    // it expires before the peer may ask again
    const relay = await startRelay(t, { reservationTtlMs: 500 })
    const stage = await Stage.start(t, relay, -DAY)
    await until(() => stage.losses.includes('disconnected'), 'the peer notices')
    await stage.clock.pass(stage.clock.nextMs ?? 0)
    await until(() => stage.grantedAt.length > 1, 'there is a new reservation')
  })
})

describe('a peer at a relay of js-libp2p', { concurrency: 4 }, () => {
  for (const [what, offMs] of WRONG)
    it(`refreshes between 30 s and 25 min when its clock is ${what}`, LIMIT, async t => {
      const stage = await Stage.start(t, await startStockRelay(t), offMs)
      const pauses = await stage.refresh(4)
      assert.ok(
        pauses.every(ms => ms >= 30 * SECOND && ms <= 25 * MINUTE),
        pauses.join(),
      )
    })

  it('refreshes a reservation of a minute in time when its clock is right or ahead', LIMIT, async t => {
    for (const offMs of [0, HOUR]) {
      const stage = await Stage.start(t, await startStockRelay(t, MINUTE), offMs)
      const [ms = 0] = await stage.refresh(1)
      assert.ok(ms >= 30 * SECOND && ms < 31 * SECOND, `${ms} ms`)
    }
  })
})

async function startStockRelay(
  t: TestContext,
  reservationTtl?: number,
): Promise<{ peerId: PeerId; addrs: Multiaddr[] }> {
  const relay = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      relay: circuitRelayServer({
        reservations: reservationTtl === undefined ? {} : { reservationTtl },
      }),
    },
  })
  t.after(() => relay.stop())
  return { peerId: relay.peerId, addrs: relay.getMultiaddrs() }
}
