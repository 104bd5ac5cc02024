/** The operator replaces one relay after the other, each drained first, and who uses a forward does not notice. */

import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { Caller } from './caller.ts'
import { containerId } from './docker.ts'
import { isDirect, isAt } from './reports.ts'
import { scenario } from './scenario.ts'
import { relayAddresses, RELAYS, Stage } from './stage.ts'
import type { Sides } from './stage.ts'
import type { Outcome } from '../lab/matrix.ts'

const paths: Readonly<Record<Outcome, Sides>> = {
  direct: { home: 'eim-apdf-drop', away: 'eim-apdf-rst' },
  relayed: { home: 'eim-apdf-drop', away: 'apdm-apdf-drop' },
}

describe('a rolling upgrade of both relays', { concurrency: 1 }, () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.create()
  })
  after(async () => stage?.close())

  for (const path of ['direct', 'relayed'] as const)
    scenario(`fails no new connection through a forward that is ${path}`, async t => {
      const listener = await stage.place(paths[path])
      const forward = await stage.forward()
      if (path === 'direct') await forward.event('path:changed', { fits: isDirect })
      else await forward.event('holepunch:failed')

      const caller = new Caller()
      await caller.through(0)
      for (const name of RELAYS) {
        const before = await containerId(name)
        const { mark } = listener
        await stage.replaceRelay(name)
        assert.notEqual(await containerId(name), before, 'it is another container')
        // the operator goes on when the peers are back
        await listener.event('reservation:granted', { mark, fits: isAt(relayAddresses[name]) })
        await caller.through(Date.now())
      }
      const { succeeded, failed } = await caller.stop()
      t.diagnostic(
        `${succeeded.length} calls, the slowest took ${Math.max(...succeeded.map(({ ms }) => Number(ms)))} ms`,
      )
      assert.deepEqual(failed, [])
      const used = listener.lines.findLast(({ event }) => event === 'service:opened')
      assert.equal(used?.['path'], path)
    })
})
