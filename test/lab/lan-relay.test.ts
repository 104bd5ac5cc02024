/** A relay in the private network of both peers, which have no public address to offer and have not heard of each other. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createStage } from './stage.ts'
import { until } from '../waits.ts'

const LIMIT = { timeout: 120_000 }

it('two peers and their relay in one private network end direct', LIMIT, async () => {
  await using stage = await createStage({ delayMs: 5 })
  const nat = await stage.net.addNat('nat', 'eim-apdf-drop')
  const relay = await stage.placeBehind('lan-relay', nat)
  await stage.net.capture()
  await stage.evident('a relay in the private network', async () => {
    const { addrs } = await relay.do<{ addrs: string[] }>('relay', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
    const relays = addrs.filter(it => it.startsWith(`/ip4/${relay.host.address}/`))
    const [dialer, listener] = [
      await stage.placeBehind('dialer', nat),
      await stage.placeBehind('listener', nat),
    ]
    const own = await listener.do<{ addrs: string[] }>('peer', { name: 'listener', relays, reserve: true })
    const target = own.addrs.find(it => it.includes('p2p-circuit'))
    await dialer.do('peer', { name: 'dialer', relays, reserve: false })
    await dialer.do('connect', { name: 'dialer', target })
    assert.partialDeepStrictEqual(await dialer.do<object>('direct', { name: 'dialer' }), { path: 'direct' })
    const echo = await dialer.do<object>('echo', { name: 'dialer', bytes: 100_000 })
    assert.partialDeepStrictEqual(echo, { path: 'direct' })
    await until(
      () => listener.events.some(it => it.event === 'holepunch:succeeded'),
      'both sides have the event',
    )
    const dialled = listener.events.find(it => it.event === 'holepunch:succeeded')?.['remoteAddr']
    assert.ok(String(dialled).startsWith(`/ip4/${dialer.host.address}/`), String(dialled))
  })
})
