/**
 * A direct connection lives on: nothing that took part in the punch can end it later.
 *
 * Takes 10 minutes in real time, since what it looks for are timers and signals that were left attached, with delays that
 * nobody wrote down. `THROUGHNAT_LAB_IDLE_SECONDS=20` makes it shorter.
 */

import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { it } from 'node:test'
import { createStage } from './stage.ts'
import { connectAndWatch } from './trial.ts'

const { THROUGHNAT_LAB_IDLE_SECONDS = '600' } = process.env
const idleMs = Number(THROUGHNAT_LAB_IDLE_SECONDS) * 1000

const LIMIT = { timeout: idleMs + 120_000 }

it(`a direct connection that was idle for ${idleMs / 1000} s still carries data`, LIMIT, async () => {
  await using stage = await createStage({ delayMs: 20 })
  const dialer = await stage.place('dialer', 'eim-apdf-rst')
  const listener = await stage.place('listener', 'eim-apdf-drop')
  await stage.net.capture()
  await stage.evident('an idle direct connection', async () => {
    const { path } = await connectAndWatch(stage.cast(dialer, listener), 'idle')
    assert.equal(path, 'direct')
    const before = dialer.events.length
    await pause(idleMs)
    const echo = await dialer.do<{ path: string }>('echo', { name: 'idle', bytes: 1_000_000 })
    assert.equal(echo.path, 'direct')
    // that the router maps no ports is told some seconds later
    const since = dialer.events.slice(before).filter(({ event }) => !event.startsWith('mapping:'))
    assert.deepEqual(since, [], 'nothing happened in the meantime')
  })
})
