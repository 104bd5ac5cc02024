/** What must hold beside the outcome: transfers survive, drop-ins punch, stock nodes are not harmed. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createStage } from './stage.ts'
import { connectAndWatch, runTrial } from './trial.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const DELAY = { delayMs: 20 }

/** Ends the window of a trial with a node that does not tell how its upgrade went. */
const STOCK_TIMEOUT_MS = 20_000

describe('an upgrade', { concurrency: 2 }, () => {
  it('does not cut a stream that was opened on the circuit: it finishes byte for byte', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage)
    await stage.evident('a stream across the upgrade', async () => {
      const { relayAddr } = stage.cast(dialer, listener)
      const args = { name: 'across', relays: [relayAddr] }
      const { addrs } = await listener.do<{ addrs: string[] }>('peer', { ...args, reserve: true })
      await dialer.do('peer', { ...args, reserve: false })
      await dialer.do('connect', { name: 'across', target: addrs[0] })
      const echo = await dialer.do<object>('echo-across', { name: 'across', bytes: 4 * 1024 * 1024 }, 60_000)
      assert.partialDeepStrictEqual(echo, { before: 'relayed', after: 'direct' })
    })
  })

  it('closes the circuit once nothing uses it, and data goes on crossing', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage)
    await stage.evident('the circuit is closed', async () => {
      await connectAndWatch(stage.cast(dialer, listener), 'retired')
      await dialer.do('circuit-closed', { name: 'retired' })
      const echo = await dialer.do<{ path: string }>('echo', { name: 'retired', bytes: 100_000 })
      assert.equal(echo.path, 'direct')
    })
  })

  it('succeeds once where both dial each other at the same moment', async () => {
    await using stage = await createStage(DELAY)
    const [one, other] = await placeBoth(stage)
    await stage.evident('both dial at once', async () => {
      const args = { name: 'both', relays: [stage.relayAddr()], reserve: true }
      const peers = await Promise.all(
        [one, other].map(async remote => remote.do<{ addrs: string[] }>('peer', args)),
      )
      await Promise.all([
        one.do('connect', { name: 'both', target: peers[1]?.addrs[0] }),
        other.do('connect', { name: 'both', target: peers[0]?.addrs[0] }),
      ])
      for (const remote of [one, other]) {
        const direct = await remote.do<{ path: string }>('direct', { name: 'both' }, 40_000)
        assert.equal(direct.path, 'direct')
        const echo = await remote.do<{ path: string }>('echo', { name: 'both', bytes: 100_000 })
        assert.equal(echo.path, 'direct')
      }
    })
  })
})

describe('a direct connection that overtakes the punch which it belongs to', () => {
  it('ends the upgrade when the attempt at other addresses has come to nothing', async () => {
    await using stage = await createStage(DELAY)
    await stage.evident('a direct connection overtakes', async () => {
      const name = 'overtaken'
      const own = await stage.place('own', 'none')
      const init = { name, relays: [stage.relayAddr()], reserve: true }
      const { addrs } = await own.do<{ addrs: string[] }>('peer', init)
      const { addr } = await own.do<{ addr: string }>('announces', { name, host: own.host.address })
      const silent = await stage.net.addNat('silent', 'eim-apdf-drop')
      const remote = await stage.place('remote', 'none', 'hostile-agent')
      await remote.do('create', { name, addrs: [`/ip4/${silent.publicAddress}/tcp/2000`] })
      await remote.do('overtake', { name, target: addrs.find(it => it.includes('p2p-circuit')), addr })
      const ended = await own.next(({ event }) => /^holepunch:(succeeded|failed)$/.test(event), 20_000)
      assert.equal(ended.event, 'holepunch:succeeded')
    })
  })
})

describe('a relay', () => {
  it('ends the reservation of a peer whose network went away without a word', async () => {
    await using stage = await createStage(DELAY)
    const listener = await stage.place('listener', 'eim-apdf-drop')
    await stage.evident('a peer that is gone', async () => {
      const args = { name: 'gone', relays: [stage.relayAddr()], reserve: true }
      const { peerId } = await listener.do<{ peerId: string }>('peer', args)
      // the kernel's keep-alive takes 40 s
      const ended = stage.relay.do<object>('reservation-ended', {}, 90_000)
      await listener.host.exec('ip', ['link', 'set', 'eth0', 'down'])
      assert.partialDeepStrictEqual(await ended, { peerId, reason: 'disconnected' })
    })
  })

  it('ends it sooner when the peer does not acknowledge what it is told', async () => {
    await using stage = await createStage(DELAY)
    const listener = await stage.place('listener', 'eim-apdf-drop')
    const stranger = await stage.place('stranger', 'none')
    const init = { name: 'told', relays: [stage.relayAddr()] }
    await stage.evident('a peer that is gone and called', async () => {
      const { peerId } = await listener.do<{ peerId: string }>('peer', { ...init, reserve: true })
      await stranger.do('peer', { ...init, reserve: false })
      // as long as something waits to be acknowledged the kernel's keep-alive rests, and it repeats that for 15 min
      const ended = stage.relay.do<object>('reservation-ended', {}, 30_000)
      await listener.host.exec('ip', ['link', 'set', 'eth0', 'down'])
      await assert.rejects(stranger.do('visit', { name: 'told', target: peerId }, 5_000))
      assert.partialDeepStrictEqual(await ended, { peerId, reason: 'disconnected' })
    })
  })
})

describe('the drop-ins', { concurrency: 2 }, () => {
  it('punch between two plain libp2p nodes, without createPeer', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage, 'drop-ins', 'drop-ins')
    await stage.evident('drop-ins', async () => runTrial(stage.cast(dialer, listener), 'direct'))
  })

  it('punch between a plain node and a peer', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage, 'drop-ins', 'peer')
    await stage.evident('drop-in to peer', async () => runTrial(stage.cast(dialer, listener), 'direct'))
  })
})

// @libp2p/tcp dials from a port that no NAT has mapped for the relay, and @libp2p/dcutr offers private addresses only
describe('a stock node of js-libp2p', { concurrency: 2 }, () => {
  it('as initiator stays relayed to our responder, and keeps its circuit', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage, 'stock', 'peer')
    await stage.evident('stock initiator', async () => {
      await runTrial(stage.cast(dialer, listener), 'relayed', STOCK_TIMEOUT_MS)
      const failed = listener.events.find(({ event }) => event === 'holepunch:failed')
      assert.equal(failed?.['reason'], 'no-remote-candidates')
    })
  })

  it('as responder stays relayed to our initiator, and keeps its circuit', async () => {
    await using stage = await createStage(DELAY)
    const [dialer, listener] = await placeBoth(stage, 'peer', 'stock')
    await stage.evident('stock responder', async () => {
      const { reason } = await runTrial(stage.cast(dialer, listener), 'relayed')
      assert.equal(reason, 'no-remote-candidates')
    })
  })
})

type Make = 'peer' | 'drop-ins' | 'stock'

async function placeBoth(
  stage: Stage,
  dialer: Make = 'peer',
  listener: Make = 'peer',
): Promise<[dialer: Remote, listener: Remote]> {
  const place = async (name: string, make: Make): Promise<Remote> =>
    make === 'peer'
      ? stage.place(name, 'eim-apdf-drop')
      : stage.place(name, 'eim-apdf-drop', 'plain-agent', [make])
  const both = [await place('dialer', dialer), await place('listener', listener)] as [Remote, Remote]
  await stage.net.capture()
  return both
}
