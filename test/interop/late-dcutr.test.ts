/** A remote that speaks DCUtR only some time after it has connected. */

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { createStage } from '../lab/stage.ts'
import { programOf } from './programs.ts'

it('a go-libp2p peer that connects as soon as it runs ends direct with our responder', async () => {
  // it is connected before it has looked for a public address, 250 ms after its start
  await using stage = await createStage({ delayMs: 2 })
  await stage.evident('a cold go peer', async () => {
    const relays = [stage.relayAddr()]
    const listener = await stage.place('listener', 'eim-apdf-drop')
    const { addrs } = await listener.do<{ addrs: string[] }>('peer', { name: 'peer', relays, reserve: true })
    const { program, args } = programOf('go')
    const dialer = await stage.place('dialer', 'eim-apdf-drop', program, args)
    await dialer.do('peer', { name: 'peer', relays, reserve: false, isCold: true })
    await dialer.do('connect', { name: 'peer', target: addrs[0] })
    const direct = await dialer.do<{ path: string }>('direct', { name: 'peer' }, 10_000)
    assert.equal(direct.path, 'direct')
    const attempts = listener.events.filter(({ event }) => event === 'holepunch:attempt')
    assert.deepEqual(
      attempts.map(({ n }) => n),
      [2],
      'the remote did not speak DCUtR at first',
    )
  })
})
