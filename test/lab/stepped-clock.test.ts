/** The instrument that steps the clock of one program. */

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Command, isEvent } from './command.ts'
import { createNetwork } from './net/network.ts'
import { STEP_TAKES_MS, SteppedClock } from './stepped-clock.ts'

const DAY_S = 86_400

it('a program goes by a clock that is set while it runs, and its timers do not', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-lab-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  await using net = await createNetwork()
  const host = await net.addHost('relay')
  const clock = new SteppedClock(directory, 'relay')
  clock.setBy(-2 * DAY_S)
  const args = [
    '--listen',
    '/ip4/127.0.0.1/tcp/4001',
    '--status',
    'off',
    '--data-dir',
    join(directory, 'data'),
  ]
  const relay = new Command(host, 'throughnat-relay', args, { clock })

  const offsets: number[] = []
  const note = ({ at }: { at: number }): unknown =>
    offsets.push(Math.round((at - Date.now()) / 1_000 / DAY_S) + 0)
  note(await relay.event(isEvent('relay:ready')))
  for (const days of [2, -20_000, 0]) {
    clock.setBy(days * DAY_S)
    // libfaketime has no event for it
    await pause(STEP_TAKES_MS)
    const before = relay.events.length
    relay.kill('SIGHUP')
    note(await relay.event(isEvent('config:reloaded'), { after: before }))
  }
  assert.deepEqual(offsets, [-2, 2, -20_000, 0])
})
