/** Two LANs behind two routers: each pairing of NATs ends as the NAT lab's matrix says, and data crosses. */

import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { outcomeOf } from '../lab/matrix.ts'
import { callOnce } from './caller.ts'
import { removeContainers } from './docker.ts'
import { isDirect } from './reports.ts'
import { scenario } from './scenario.ts'
import { Stage } from './stage.ts'
import type { Kind } from '../lab/matrix.ts'

/** Each way. Enough that a circuit's own overhead, some KiB, cannot be taken for it. */
const ECHO_BYTES = 256 * 1024

/**
 * The forwarding side, and the listener. Where both routers reject what comes too early, the two SYNs have to cross in flight, and there
 * is no flight in these networks: such pairs end direct by chance here, and belong to the NAT lab, whose wide area has delay.
 */
const pairings: readonly (readonly [Kind, Kind])[] = [
  ['eim-apdf-drop', 'eim-apdf-drop'],
  ['eim-apdf-rst', 'eim-apdf-drop'],
  ['eim-apdf-drop', 'eim-apdf-rst'],
  ['eim-apdf-icmp', 'eim-apdf-drop'],
  ['eim-eif', 'eim-apdf-drop'],
  ['eim-apdf-drop', 'eim-eif'],
  ['eim-adf', 'eim-apdf-drop'],
  ['eim-adf', 'apdm-apdf-drop'],
  ['apdm-eif', 'eim-apdf-rst'],
  ['apdm-eif', 'apdm-apdf-drop'],
  ['none', 'eim-apdf-drop'],
  ['eim-apdf-drop', 'none'],
  ['apdm-apdf-drop', 'none'],
  ['apdm-apdf-drop', 'eim-apdf-drop'],
  ['eim-apdf-rst', 'apdm-apdf-rst'],
]

describe('a forward', { concurrency: 1 }, () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.create()
  })
  after(async () => stage?.close())

  for (const [away, home] of pairings) {
    const expected = outcomeOf(away, home)
    scenario(`ends ${expected} from behind ${away} to behind ${home}`, async t => {
      const marks = stage.relayMarks()
      const listener = await stage.place({ away, home })
      const { peerId } = await listener.event('peer:ready')
      const forward = await stage.forward()
      const startedAt = performance.now()
      const { path } = await forward.event('peer:connected')
      assert.equal(path, 'relayed', 'it starts relayed')
      if (expected === 'direct') {
        await Promise.all([forward, listener].map(async it => it.event('path:changed', { fits: isDirect })))
        t.diagnostic(`direct after ${Math.round(performance.now() - startedAt)} ms`)
      } else {
        const { reason } = await forward.event('holepunch:failed')
        t.diagnostic(`stays relayed: ${String(reason)}`)
      }
      await callOnce(ECHO_BYTES)
      const { path: used } = await listener.event('service:opened')
      assert.equal(used, expected, 'data crosses')
      // a circuit that is no longer needed ends by itself, the other one with the program
      if (expected === 'relayed') await removeContainers(['away'])
      const carried = await stage.circuitBytes(String(peerId), marks)
      if (expected === 'direct') assert.ok(carried < ECHO_BYTES / 4, `the relay carried ${carried} bytes`)
      else assert.ok(carried > 2 * ECHO_BYTES, `the relay carried ${carried} bytes`)
    })
  }
})
