/** How many streams a remote may open, and who waits when there are more. */

import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import {
  NEW_STREAMS,
  NewStreams,
  newStreamsOf,
  REFUSED_STREAMS,
  SHARED_STREAMS,
  SharedTurns,
  streamNetworkOf,
  TRUSTED_STREAMS,
} from '../../../../src/muxer/new-streams.ts'
import { peer } from '../../relay/peers.ts'
import type { Connection } from '@libp2p/interface'
import type { TestContext } from 'node:test'

/** Turns and a clock that a test moves. */
function stage(t: TestContext): { make: (network?: string) => NewStreams; pass: (ms: number) => void } {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  t.after(() => mock.timers.reset())
  const turns = new SharedTurns()
  let ms = 0
  return {
    make: (network = '') => Object.assign(new NewStreams(turns, () => ms), { network }),
    pass: by => {
      ms += by
      mock.timers.tick(by)
    },
  }
}

/** Opens streams until the remote must wait. */
function spend(streams: NewStreams): number {
  let opened = 0
  while (!streams.isSpent) {
    streams.charge()
    opened++
  }
  return opened
}

/** Opens as many streams as it may, turn after turn. Returns how many it has opened after each call of `pass`. */
function flood(streams: NewStreams, isOver = () => false): { opened: number } {
  const flood = { opened: 0 }
  const goOn = (): void => {
    flood.opened += spend(streams)
    streams.wait({ goOn, isOver })
  }
  goOn()
  return flood
}

describe('the streams that a stranger opens', () => {
  it('are some, and a few a second more', t => {
    const { make, pass } = stage(t)
    const streams = make()
    assert.equal(spend(streams), NEW_STREAMS.capacity + 1)
    pass(1_000)
    assert.equal(spend(streams), NEW_STREAMS.perSecond)
  })

  it('do not count if they lead to something', t => {
    const streams = stage(t).make()
    for (let n = 0; n < 10 * NEW_STREAMS.capacity; n++) {
      streams.charge()
      streams.credit()
    }
    assert.equal(streams.isSpent, false)
  })

  it('are no more after some that led to something than before', t => {
    const streams = stage(t).make()
    streams.credit(1_000)
    assert.equal(spend(streams), NEW_STREAMS.capacity + 1)
  })

  it('count as several if they are refused', t => {
    const streams = stage(t).make()
    let refused = 0
    for (; !streams.isSpent; refused++) {
      streams.charge()
      streams.charge(REFUSED_STREAMS)
    }
    assert.equal(refused, Math.ceil((NEW_STREAMS.capacity + 1) / (1 + REFUSED_STREAMS)))
  })

  it('share a rate beyond what each connection may open by itself', t => {
    const { make, pass } = stage(t)
    const floods = Array.from({ length: 100 }, (_, n) => flood(make(`network ${n % 7}`)))
    const total = (): number => floods.reduce((sum, { opened }) => sum + opened, 0)
    const before = total()
    for (let ms = 0; ms < 10_000; ms += SHARED_STREAMS.turnMs) pass(SHARED_STREAMS.turnMs)
    const perSecond = (total() - before) / 10
    const shared = (SHARED_STREAMS.perTurn * 1000) / SHARED_STREAMS.turnMs
    // what a connection may open by itself has come meanwhile when its turn comes
    assert.ok(perSecond >= shared && perSecond <= shared + 100 * NEW_STREAMS.perSecond, `${perSecond}`)
  })

  it('wait for a turn of their network, not behind all connections of another one', t => {
    const { make, pass } = stage(t)
    const many = Array.from({ length: 50 }, () => flood(make('many')))
    const before = many.reduce((sum, { opened }) => sum + opened, 0)
    const one = flood(make('one'))
    const opened = one.opened
    pass(2 * SHARED_STREAMS.turnMs)
    assert.ok(one.opened > opened)
    assert.ok(many.reduce((sum, it) => sum + it.opened, 0) > before)
  })

  it('wait for several turns if refusals have put the remote into debt', t => {
    const { make, pass } = stage(t)
    const streams = make()
    streams.charge(NEW_STREAMS.capacity + 3 * SHARED_STREAMS.perTurn)
    let turns = 0
    const goOn = mock.fn()
    streams.wait({ goOn, isOver: () => false })
    for (; goOn.mock.callCount() === 0 && turns < 10; turns++) pass(SHARED_STREAMS.turnMs)
    assert.ok(turns > 1 && turns <= 3, `${turns}`)
  })

  it('take no turn of another one after the connection has ended', t => {
    const { make, pass } = stage(t)
    for (let n = 0; n < 100; n++) flood(make(`network ${n}`), () => true)
    const one = flood(make('one'))
    const { opened } = one
    pass(SHARED_STREAMS.turnMs)
    assert.ok(one.opened > opened)
  })
})

describe('the streams that a trusted remote opens', () => {
  it('are many, and do not wait for strangers', t => {
    const { make, pass } = stage(t)
    const streams = make()
    streams.isTrusted = () => true
    assert.equal(spend(streams), TRUSTED_STREAMS.capacity + 1)
    const goOn = mock.fn()
    streams.wait({ goOn, isOver: () => false })
    pass(1)
    assert.equal(goOn.mock.callCount(), 1)
  })

  it('go on when a stranger that waits becomes trusted', t => {
    const { make, pass } = stage(t)
    const streams = make()
    let isTrusted = false
    streams.isTrusted = () => isTrusted
    const { opened } = flood(streams)
    assert.equal(opened, NEW_STREAMS.capacity + 1)
    isTrusted = true
    assert.equal(streams.isSpent, false)
    pass(SHARED_STREAMS.turnMs)
  })

  it('leave no debt behind when it becomes a stranger again', t => {
    const streams = stage(t).make()
    let isTrusted = true
    streams.isTrusted = () => isTrusted
    for (let n = 0; n < 1_000; n++) streams.charge()
    isTrusted = false
    assert.equal(streams.isSpent, false)
    streams.charge()
    assert.equal(streams.isSpent, true)
  })
})

describe('the network of a connection', () => {
  const of = (addr: string): string =>
    streamNetworkOf({ remoteAddr: multiaddr(addr) } as Partial<Connection> as Connection)

  it('is the block of its address', () => {
    assert.equal(of('/ip4/192.0.2.1/tcp/1'), of('/ip4/192.0.2.200/tcp/2'))
    assert.notEqual(of('/ip4/192.0.2.1/tcp/1'), of('/ip4/198.51.100.1/tcp/1'))
    assert.equal(of('/ip6/2001:db8:0:1::1/tcp/1'), of('/ip6/2001:db8:0:2::1/tcp/1'))
  })

  it('is the relay of a circuit', () => {
    const relay = `/ip4/192.0.2.1/tcp/1/p2p/${peer(1)}/p2p-circuit`
    assert.equal(of(`${relay}/p2p/${peer(2)}`), of(`${relay}/p2p/${peer(3)}`))
    assert.notEqual(of(`${relay}/p2p/${peer(2)}`), of('/ip4/192.0.2.1/tcp/1'))
  })

  it('is not known of a connection whose multiplexer is another one', () => {
    assert.equal(newStreamsOf({}), undefined)
    assert.equal(newStreamsOf({ muxer: {} }), undefined)
  })
})
