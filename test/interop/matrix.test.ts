/**
 * Ours, go-libp2p, rust-libp2p and stock js-libp2p as initiator, responder and relay, behind the lab's NATs: the circuit carries data, and the path turns direct where it
 * must.
 *
 * `npm run test:interop` builds the programs first. `THROUGHNAT_INTEROP='rust.*over go'` runs only the cells whose titles match.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createStage } from '../lab/stage.ts'
import { connectAndWatch } from '../lab/trial.ts'
import { casts, mustEndDirect, natPairs, record, titleOf } from './matrix.ts'
import { programOf } from './programs.ts'
import type { Stage } from '../lab/stage.ts'
import type { Nats, Parts } from './matrix.ts'

const DELAY = { delayMs: 20 }

/** Three attempts of 5 s each (`maxRetries` and `defaultDirectDialTimeout` of go-libp2p), and the exchanges between them. */
const DIRECT_TIMEOUT_MS = 20_000

const ECHO_BYTES = 64 * 1024

const wanted = new RegExp(process.env['THROUGHNAT_INTEROP'] ?? '')

// most of a cell is waiting
describe('peers of different implementations', { concurrency: 5 }, () => {
  for (const nats of natPairs)
    for (const parts of casts) {
      const title = titleOf(parts, nats)
      if (!wanted.test(title)) continue
      it(mustEndDirect(parts, nats) ? `${title} ends direct` : `${title} can talk`, async () =>
        play(parts, nats, title),
      )
    }
})

async function play(parts: Parts, nats: Nats, title: string): Promise<void> {
  const relay = programOf(parts.relay)
  await using stage = await createStage(DELAY, relay.program, relay.args)
  await stage.evident(title, async () => {
    const result = await connect(stage, parts, nats)
    record({ ...parts, ...nats, ...result })
    if (mustEndDirect(parts, nats)) assert.equal(result.path, 'direct', result.reason)
  })
}

async function connect(stage: Stage, parts: Parts, nats: Nats): ReturnType<typeof connectAndWatch> {
  const enter = async (role: 'initiator' | 'responder') => {
    const { program, args } = programOf(parts[role])
    return stage.place(role, nats[`${role}Nat`], program, args)
  }
  const listener = await enter('responder')
  const dialer = await enter('initiator')
  const result = await connectAndWatch(stage.cast(dialer, listener), 'peer', DIRECT_TIMEOUT_MS)
  const echo = await dialer.do<{ path: string }>('echo', { name: 'peer', bytes: ECHO_BYTES })
  assert.equal(echo.path, result.path, 'data takes that path')
  return result
}
