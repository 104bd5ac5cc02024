/** A peer that no NAT translates: others need no relay once it knows. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createStage } from './stage.ts'

it('a public peer announces its address when a relay has seen it, and is reached there without any relay', async () => {
  await using stage = await createStage({ delayMs: 20 })
  await stage.evident('public peer', async () => {
    const name = 'public'
    const listener = await stage.place('listener', 'none')
    await listener.do('peer', { name, relays: [stage.relayAddr()], reserve: true })
    const { addr } = await listener.do<{ addr: string }>('announces', { name, host: listener.host.address })

    const dialer = await stage.place('dialer', 'apdm-apdf-drop')
    await dialer.do('peer', { name, relays: [], reserve: false })
    const connected = await dialer.do<object>('connect', { name, target: addr })
    assert.partialDeepStrictEqual(connected, { path: 'direct' })
  })
})
