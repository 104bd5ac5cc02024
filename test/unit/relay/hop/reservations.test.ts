/** The table of reservations: how long they last, how many there may be, and how many from one network. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { Reservations } from '../../../../relay/hop/reservations.ts'
import { stoppedClocks } from '../../clocks.ts'
import { only, peer, peers } from '../peers.ts'
import type { TestContext } from 'node:test'
import type { LimitOverrides } from '../../../../relay/limits/limits.ts'
import type { StoppedClocks } from '../../clocks.ts'

const TTL_MS = 60_000
const NOW_MS = 1_700_000_000_000

/** A table, and what it has told: `number of the peer reason`. */
function table(
  t: TestContext,
  limits: LimitOverrides = {},
  ttlMs = TTL_MS,
): { reservations: Reservations; ended: string[]; clocks: StoppedClocks } {
  const clocks = stoppedClocks(t, NOW_MS)
  const ended: string[] = []
  const reservations = new Reservations({
    limits: only(limits),
    ttlMs,
    onEnded: ({ peerId, reason }) => ended.push(`${peers.indexOf(peerId)} ${reason}`),
  })
  return { reservations, ended, clocks }
}

/** The verdict on a peer from an address: `granted`, `refreshed`, or why not. */
function ask(reservations: Reservations, who: number, ip = `192.0.2.${who}`): string {
  const addr = ip.includes(':') ? multiaddr(`/ip6/${ip}/tcp/4001`) : multiaddr(`/ip4/${ip}/tcp/4001`)
  const verdict = reservations.reserve(peer(who), addr)
  if ('refusal' in verdict) return verdict.refusal
  return verdict.isRefresh ? 'refreshed' : 'granted'
}

describe('a reservation', () => {
  it('lasts as long as it was granted for', t => {
    const { reservations, ended, clocks } = table(t)
    const verdict = reservations.reserve(peer(0), multiaddr('/ip4/192.0.2.1/tcp/1'))
    assert.ok('granted' in verdict)
    assert.equal(verdict.granted.expiresAt, NOW_MS + TTL_MS)
    clocks.pass(TTL_MS - 1)
    assert.deepEqual([reservations.has(peer(0)), ended], [true, []])
    clocks.pass(1)
    assert.deepEqual([reservations.has(peer(0)), reservations.size, ended], [false, 0, ['0 expired']])
  })

  it('lasts longer when it is refreshed, from then on', t => {
    const { reservations, ended, clocks } = table(t)
    assert.equal(ask(reservations, 0), 'granted')
    clocks.pass(TTL_MS - 1)
    assert.equal(ask(reservations, 0), 'refreshed')
    assert.equal(reservations.size, 1)
    clocks.pass(TTL_MS - 1)
    assert.deepEqual([reservations.has(peer(0)), ended], [true, []])
    clocks.pass(1)
    assert.deepEqual(ended, ['0 expired'])
  })

  it('expires in its turn, whoever was refreshed meanwhile', t => {
    const { reservations, ended, clocks } = table(t)
    for (const who of [0, 1, 2]) {
      ask(reservations, who)
      clocks.pass(1000)
    }
    ask(reservations, 0)
    clocks.pass(TTL_MS - 2000)
    assert.deepEqual(ended, ['1 expired'])
    clocks.pass(1000)
    assert.deepEqual(ended, ['1 expired', '2 expired'])
    clocks.pass(1000)
    assert.deepEqual(ended, ['1 expired', '2 expired', '0 expired'])
  })

  it('expires with all others of the same instant', t => {
    const { reservations, ended, clocks } = table(t)
    for (const who of [0, 1, 2]) ask(reservations, who)
    clocks.pass(TTL_MS)
    assert.deepEqual(ended, ['0 expired', '1 expired', '2 expired'])
  })

  it('that a peer comes for again after it expired is a new one', t => {
    const { reservations, clocks } = table(t)
    ask(reservations, 0)
    clocks.pass(TTL_MS)
    assert.equal(ask(reservations, 0), 'granted')
  })

  it('of less than a second expires, too', t => {
    const { reservations, ended, clocks } = table(t, {}, 1)
    ask(reservations, 0)
    clocks.pass(1)
    assert.deepEqual(ended, ['0 expired'])
  })

  it('may last longer than a timer of Node does', t => {
    const days = 30 * 24 * 3_600_000
    const { reservations, ended, clocks } = table(t, {}, days)
    const delays: number[] = []
    const { setTimeout } = globalThis
    t.mock.method(globalThis, 'setTimeout', ((act: () => void, ms: number) => {
      delays.push(ms)
      return setTimeout(act, ms)
    }) as never)
    ask(reservations, 0)
    clocks.pass(days - 1)
    assert.deepEqual([reservations.has(peer(0)), ended], [true, []])
    clocks.pass(1)
    assert.deepEqual(ended, ['0 expired'])
    assert.ok(delays.length > 1 && delays.every(ms => ms < 2 ** 31), `${delays.join(', ')} ms`)
  })

  it('that is ended is told once, and never expires', t => {
    const { reservations, ended, clocks } = table(t)
    ask(reservations, 0)
    reservations.end(peer(0), 'disconnected')
    reservations.end(peer(0), 'disconnected')
    clocks.pass(TTL_MS * 2)
    assert.deepEqual(ended, ['0 disconnected'])
  })

  it('that does not exist can be ended without effect', t => {
    const { reservations, ended } = table(t)
    reservations.end(peer(0), 'disconnected')
    assert.deepEqual([reservations.size, ended], [0, []])
  })

  it('outlives the one before it that has ended', t => {
    const { reservations, ended, clocks } = table(t)
    ask(reservations, 0)
    clocks.pass(TTL_MS / 2)
    ask(reservations, 1)
    reservations.end(peer(0), 'disconnected')
    clocks.pass(TTL_MS / 2)
    assert.deepEqual([reservations.has(peer(1)), ended], [true, ['0 disconnected']])
    clocks.pass(TTL_MS / 2)
    assert.deepEqual(ended, ['0 disconnected', '1 expired'])
  })

  for (const [how, byMs] of [
    ['ahead', 2 * 24 * 3_600_000],
    ['back', -2 * 24 * 3_600_000],
    ['back to 1970', -NOW_MS],
  ] as const) {
    it(`lasts as long when the wall clock is set ${how}, and is listed by that clock`, t => {
      const { reservations, ended, clocks } = table(t)
      ask(reservations, 0)
      clocks.pass(TTL_MS / 2)
      clocks.setWall(NOW_MS + TTL_MS / 2 + byMs)
      ask(reservations, 1)
      assert.deepEqual(
        [...reservations].map(it => it.expiresAt - byMs),
        [NOW_MS + TTL_MS, NOW_MS + 1.5 * TTL_MS],
      )
      clocks.pass(TTL_MS / 2 - 1)
      assert.deepEqual(ended, [])
      clocks.pass(1)
      assert.deepEqual(ended, ['0 expired'])
      clocks.pass(TTL_MS / 2)
      assert.deepEqual(ended, ['0 expired', '1 expired'])
    })
  }

  it('ends with the relay, and no timer is left', t => {
    const { reservations, ended, clocks } = table(t)
    ask(reservations, 0)
    ask(reservations, 1)
    reservations.clear()
    assert.deepEqual([reservations.size, ended], [0, ['0 stopped', '1 stopped']])
    clocks.pass(TTL_MS * 2)
    assert.equal(ended.length, 2)
  })

  it('is listed with its peer, its address and its end', t => {
    const { reservations } = table(t)
    ask(reservations, 3)
    const [only, ...others] = [...reservations]
    assert.deepEqual(others, [])
    assert.ok(only)
    assert.equal(only.peerId, peer(3))
    assert.equal(only.remoteAddr.toString(), '/ip4/192.0.2.3/tcp/4001')
    assert.equal(only.expiresAt, NOW_MS + TTL_MS)
  })
})

describe('reservations in all', () => {
  it('are as many as may be; who holds one can refresh it all the same', t => {
    const { reservations } = table(t, { maxReservations: 2 })
    assert.deepEqual(
      [0, 1, 2].map(who => ask(reservations, who)),
      ['granted', 'granted', 'full'],
    )
    assert.equal(ask(reservations, 0), 'refreshed')
    reservations.end(peer(0), 'disconnected')
    assert.equal(ask(reservations, 2), 'granted')
  })

  it('that expire make room', t => {
    const { reservations, clocks } = table(t, { maxReservations: 1 })
    ask(reservations, 0)
    assert.equal(ask(reservations, 1), 'full')
    clocks.pass(TTL_MS)
    assert.equal(ask(reservations, 1), 'granted')
  })

  it('may be none', t => {
    const { reservations } = table(t, { maxReservations: 0 })
    assert.equal(ask(reservations, 0), 'full')
  })
})

describe('reservations of one address', () => {
  it('are as many as may be, and do not take the place of others', t => {
    const { reservations } = table(t, { maxReservationsPerIpv4: 2 })
    assert.deepEqual(
      [0, 1, 2].map(who => ask(reservations, who, '192.0.2.1')),
      ['granted', 'granted', 'full-for-address'],
    )
    assert.equal(ask(reservations, 2, '192.0.2.2'), 'granted')
    assert.equal(ask(reservations, 1, '192.0.2.1'), 'refreshed')
  })

  it('of IPv6 are counted by /56', t => {
    const { reservations } = table(t, { maxReservationsPerIpv6Site: 1, maxReservationsPerIpv4: 0 })
    assert.equal(ask(reservations, 0, '2001:db8:0:100::1'), 'granted')
    assert.equal(ask(reservations, 1, '2001:db8:0:1ff:ffff::2'), 'full-for-address')
    assert.equal(ask(reservations, 1, '2001:db8:0:200::1'), 'granted')
    assert.equal(ask(reservations, 2, '2001:db8:0:ff::1'), 'granted')
  })

  it('of IPv4 written as IPv6 are counted with those of IPv4', t => {
    const { reservations } = table(t, { maxReservationsPerIpv4: 1, maxReservationsPerIpv6Site: 0 })
    assert.equal(ask(reservations, 0, '192.0.2.1'), 'granted')
    assert.equal(ask(reservations, 1, '::ffff:192.0.2.1'), 'full-for-address')
    assert.equal(ask(reservations, 1, '::ffff:192.0.2.2'), 'granted')
  })

  it('are counted from where a peer asked last', t => {
    const { reservations } = table(t, { maxReservationsPerIpv4: 1 })
    ask(reservations, 0, '192.0.2.1')
    assert.equal(ask(reservations, 0, '192.0.2.2'), 'refreshed')
    assert.equal(ask(reservations, 1, '192.0.2.2'), 'full-for-address')
    assert.equal(ask(reservations, 1, '192.0.2.1'), 'granted')
  })

  it('are too many for a peer that moves there: it keeps the one that it had', t => {
    const { reservations, ended } = table(t, { maxReservationsPerIpv4: 1 })
    ask(reservations, 0, '192.0.2.1')
    ask(reservations, 1, '192.0.2.2')
    assert.equal(ask(reservations, 0, '192.0.2.2'), 'full-for-address')
    assert.deepEqual([reservations.has(peer(0)), ended], [true, []])
    assert.equal(ask(reservations, 2, '192.0.2.1'), 'full-for-address')
  })

  it('that end, by expiry or otherwise, are counted back to none', t => {
    const { reservations, clocks } = table(t, { maxReservationsPerIpv4: 3 })
    const all = [0, 1, 2]
    for (let round = 0; round < 5; round++) {
      for (const who of all) assert.equal(ask(reservations, who, '192.0.2.1'), 'granted', `round ${round}`)
      assert.equal(ask(reservations, 3, '192.0.2.1'), 'full-for-address')
      ask(reservations, 0, '192.0.2.1')
      reservations.end(peer(1), 'disconnected')
      if (round % 2 === 0) clocks.pass(TTL_MS)
      else reservations.clear()
      assert.equal(reservations.size, 0)
    }
  })

  it('that has no IP address are counted by that address', t => {
    const { reservations } = table(t, { maxReservationsPerIpv4: 1 })
    const addr = multiaddr('/unix/%2Ftmp%2Fsocket')
    assert.ok('granted' in reservations.reserve(peer(0), addr))
    assert.deepEqual(reservations.reserve(peer(1), addr), { refusal: 'full-for-address' })
  })
})

describe('a full table', () => {
  for (const [what, taken, newcomer] of [
    ['of another network', ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'], '198.51.100.1'],
    ['of another address', ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1'], '192.0.2.2'],
    ['of another site', ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4'], '2001:db8:0:100::1'],
  ] as const)
    it(`gives a peer ${what} the place of the oldest reservation of the one that has most`, t => {
      const { reservations, ended } = table(t, { maxReservations: 4 })
      for (const [who, ip] of taken.entries()) assert.equal(ask(reservations, who, ip), 'granted')
      assert.equal(ask(reservations, 5, newcomer), 'granted')
      assert.deepEqual([ended, reservations.size], [['0 replaced'], 4])
      // who has lost it does not get it back while the other one has fewer
      assert.equal(ask(reservations, 0, taken[0]), 'full')
    })

  it('replaces nothing of peers that have one each, however long they have it', t => {
    const { reservations, ended, clocks } = table(t, { maxReservations: 3 })
    for (const who of [0, 1, 2]) assert.equal(ask(reservations, who, `10.0.${who}.1`), 'granted')
    clocks.pass(TTL_MS - 1)
    assert.equal(ask(reservations, 3, '10.0.3.1'), 'full')
    assert.deepEqual(ended, [])
  })

  it('replaces nothing for a peer whose network has its share', t => {
    const { reservations, ended } = table(t, { maxReservations: 4, maxReservationsPerIpv4: 2 })
    for (const who of [0, 1, 2, 3]) assert.equal(ask(reservations, who, `10.0.${who >> 1}.1`), 'granted')
    assert.equal(ask(reservations, 4, '10.0.0.1'), 'full')
    assert.deepEqual(ended, [])
  })

  it('refreshes what it has', t => {
    const { reservations } = table(t, { maxReservations: 2 })
    for (const who of [0, 1, 0, 1]) ask(reservations, who, '10.0.0.1')
    assert.equal(ask(reservations, 2, '10.0.1.1'), 'granted')
    assert.equal(ask(reservations, 1, '10.0.0.1'), 'refreshed')
    assert.equal(reservations.size, 2)
  })
})
