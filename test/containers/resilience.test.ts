/**
 * What befalls containers: relays and routers restart, a host loses its network. The programs go on, are reachable again, and
 * direct again, by themselves.
 */

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe } from 'node:test'
import { Caller, callOnce } from './caller.ts'
import { docker, PROJECT } from './docker.ts'
import { follow, isAt, isDirect, startedAt } from './reports.ts'
import { scenario } from './scenario.ts'
import { relayAddresses, Stage } from './stage.ts'
import type { Reports } from './reports.ts'

/** How soon everything is back after its network has returned, in milliseconds, as in the NAT lab. */
const BACK_WITHIN_MS = 10_000

/** Free in either LAN: not what Docker gave to the host. */
const OTHER_ADDRESS = { home: '192.168.201.77', away: '192.168.202.77' } as const

describe('a forward between two NATs', { concurrency: 1 }, () => {
  let stage: Stage
  let listener: Reports
  let forward: Reports

  before(async () => {
    stage = await Stage.create()
  })
  after(async () => stage?.close())
  beforeEach(async () => {
    listener = await stage.place({ home: 'eim-apdf-drop', away: 'eim-apdf-drop' })
    forward = await stage.forward()
    await Promise.all([forward, listener].map(async it => it.event('path:changed', { fits: isDirect })))
  })

  scenario('is made anew, and direct, after both relays have restarted, one of them killed', async t => {
    await listener.event('reservation:granted', { fits: isAt(relayAddresses.relay1) })
    await listener.event('reservation:granted', { fits: isAt(relayAddresses.relay2) })
    const { mark } = listener
    await Promise.all([docker('restart', `${PROJECT}-relay1`), docker('kill', `${PROJECT}-relay2`)])
    await docker('start', `${PROJECT}-relay2`)
    await Promise.all([stage.refollow('relay1'), stage.refollow('relay2')])
    const readyAt = Date.now()
    const granted = await Promise.all(
      Object.values(relayAddresses).map(async address =>
        listener.event('reservation:granted', { mark, fits: isAt(address), timeoutMs: BACK_WITHIN_MS }),
      ),
    )
    t.diagnostic(`reservations after ${granted.map(({ at }) => at - readyAt).join(' and ')} ms`)
    const another = await stage.forwardAnew()
    await another.event('path:changed', { fits: isDirect })
    await callOnce(10_000)
  })

  scenario('carries again, and directly, after the router of the listener has restarted', async t => {
    const before = await programs()
    const caller = new Caller()
    await caller.through(0)
    await docker('restart', '--time', '0', `${PROJECT}-home-router`)
    await (await follow('home-router')).event('router:ready')
    await assertBack(caller, t.diagnostic.bind(t))
    assert.deepEqual(await programs(), before, 'the programs are the same')
  })

  for (const who of ['home', 'away'] as const)
    scenario(
      `is made anew, and direct, after ${who} was connected to its network again, at another address`,
      async t => {
        const before = await programs()
        const [host, program] = [await follow(`${who}-host`), who === 'home' ? listener : forward]
        const caller = new Caller()
        await caller.through(0)
        const [mark, markOfForward] = [host.mark, forward.mark]
        const ends = [`${PROJECT}_${who}`, `${PROJECT}-${who}-host`]
        await docker('network', 'disconnect', ...ends)
        await host.event('host:disconnected', { mark })
        await program.event('network:changed')
        await docker('network', 'connect', '--ip', OTHER_ADDRESS[who], ...ends)
        await host.event('host:connected', { mark })
        await assertBack(caller, t.diagnostic.bind(t))
        await forward.event('path:changed', { mark: markOfForward, fits: isDirect })
        assert.deepEqual(await programs(), before, 'the programs are the same')
      },
    )

  /** New calls get through soon, and then directly. */
  async function assertBack(caller: Caller, tell: (text: string) => void): Promise<void> {
    const backAt = Date.now()
    const throughMs = await caller.through(backAt, BACK_WITHIN_MS)
    const { at } = await listener.event('service:opened', {
      fits: line => line.at > backAt && isDirect(line),
      timeoutMs: 2 * BACK_WITHIN_MS,
    })
    await caller.through(at, BACK_WITHIN_MS)
    tell(`carrying after ${throughMs} ms, direct after ${at - backAt} ms`)
    await caller.stop()
  }
})

/** Changes if one of the programs was started again. */
async function programs(): Promise<string[]> {
  return await Promise.all(['home', 'away'].map(startedAt))
}
