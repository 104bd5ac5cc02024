/**
 * Upgrades that run while a direct connection is in use: of another peer, of the same peer over another relay, and all at
 * the same time. None of them resets a connection that either side may have begun to use.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '../waits.ts'
import { createStage } from './stage.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const LIMIT = { timeout: 240_000 }
const DELAY = { delayMs: 20 }
const BYTES = 1024 * 1024

const KINDS = ['eim-apdf-drop', 'eim-apdf-rst', 'eim-eif'] as const

async function startListener(listener: Remote, relays: readonly string[]): Promise<string[]> {
  await listener.do('peer', { name: 'listener', relays, reserve: true })
  const granted = (): number => listener.events.filter(it => it.event === 'reservation:granted').length
  await until(() => granted() === relays.length, 'the listener has its reservations', 30_000)
  const { addrs } = await listener.do<{ addrs: string[] }>('addrs', { name: 'listener' })
  return relays.map(relay => {
    const circuit = addrs.find(it => it.startsWith(`${relay}/p2p-circuit`))
    assert.ok(circuit !== undefined, `${relay} in ${addrs.join(' ')}`)
    return circuit
  })
}

async function startDialer(stage: Stage, name: string, kind: (typeof KINDS)[number]): Promise<Remote> {
  const dialer = await stage.place(name, kind)
  await dialer.do('peer', { name, relays: [stage.relayAddr()], reserve: false })
  return dialer
}

async function becomeDirect(dialer: Remote, name: string, target: string): Promise<void> {
  await dialer.do('connect', { name, target })
  assert.partialDeepStrictEqual(await dialer.do<object>('direct', { name }, 40_000), { path: 'direct' })
}

/** Asserts that no direct connection was reset, and that the path has never gone back to the relay. */
async function assertWhole(...peers: ReadonlyArray<[Remote, string]>): Promise<void> {
  for (const [remote, name] of peers) {
    const { states } = await remote.do<{ states: string[] }>('directs', { name })
    assert.ok(states.includes('open'), `${name}: ${states.join()}`)
    const broken = states.filter(it => it === 'reset' || it === 'aborted')
    assert.deepEqual(broken, [], `${name}: ${states.join()}`)
    const lost = remote.events.filter(it => it.event === 'path:changed' && it['path'] === 'relayed')
    assert.deepEqual(lost, [], name)
  }
}

describe('a direct connection is not reset', { concurrency: 2 }, () => {
  for (const kind of KINDS)
    it(`by the upgrade of another dialer: ${kind}`, LIMIT, async () => {
      await using stage = await createStage(DELAY)
      const listener = await stage.place('listener', kind)
      await stage.evident(`upgrades of two dialers ${kind}`, async () => {
        const [target = ''] = await startListener(listener, [stage.relayAddr()])
        const [one, two] = [await startDialer(stage, 'one', kind), await startDialer(stage, 'two', kind)]
        await becomeDirect(one, 'one', target)
        await one.do('begin-echo', { name: 'one', bytes: BYTES })
        await becomeDirect(two, 'two', target)
        await two.do('echo', { name: 'two', bytes: BYTES })
        assert.partialDeepStrictEqual(await one.do<object>('end-echo', { name: 'one' }), { path: 'direct' })
        await assertWhole([one, 'one'], [two, 'two'], [listener, 'listener'])
      })
    })

  it('by upgrades of two dialers at the same time', LIMIT, async () => {
    await using stage = await createStage(DELAY)
    const listener = await stage.place('listener', 'eim-apdf-drop')
    await stage.evident('upgrades of two dialers together', async () => {
      const [target = ''] = await startListener(listener, [stage.relayAddr()])
      const names = ['one', 'two'] as const
      const dialers = [
        await startDialer(stage, 'one', 'eim-apdf-drop'),
        await startDialer(stage, 'two', 'eim-apdf-drop'),
      ]
      await Promise.all(
        dialers.map(async (dialer, n) => {
          await becomeDirect(dialer, names[n]!, target)
          await dialer.do('begin-echo', { name: names[n], bytes: BYTES })
        }),
      )
      for (const [n, dialer] of dialers.entries()) await dialer.do('end-echo', { name: names[n] })
      await assertWhole([dialers[0]!, 'one'], [dialers[1]!, 'two'], [listener, 'listener'])
    })
  })

  for (const kind of KINDS)
    it(`by the upgrade of the same dialer over another relay: ${kind}`, LIMIT, async () => {
      await using stage = await createStage(DELAY)
      const listener = await stage.place('listener', kind)
      const second = await stage.place('second-relay', 'none')
      await stage.evident(`upgrades over two relays ${kind}`, async () => {
        const { addrs } = await second.do<{ addrs: string[] }>('relay', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
        const other = addrs.find(it => it.startsWith(`/ip4/${second.host.address}/`)) ?? ''
        const [first = '', also = ''] = await startListener(listener, [stage.relayAddr(), other])
        const dialer = await startDialer(stage, 'dialer', kind)
        // the upgrade of the first circuit is under way when the second one is there
        await dialer.do('connect', { name: 'dialer', target: first })
        await dialer.do('dial-circuit', { name: 'dialer', target: also })
        await dialer.do('direct', { name: 'dialer' }, 40_000)
        await dialer.do('begin-echo', { name: 'dialer', bytes: BYTES })
        // and one more while the direct connection is in use
        await dialer.do('dial-circuit', { name: 'dialer', target: also })
        await dialer.do('echo', { name: 'dialer', bytes: BYTES })
        const end = await dialer.do<object>('end-echo', { name: 'dialer' })
        assert.partialDeepStrictEqual(end, { path: 'direct' })
        await assertWhole([dialer, 'dialer'], [listener, 'listener'])
      })
    })
})
