/** Structured attacks at each step of each protocol that strangers reach: nothing costs more than its bytes. */

import { after, before, describe, it } from 'node:test'
import {
  AttackerConnection,
  attackSecured,
  attackSocket,
  proposal,
  startAttacker,
} from './attacks/attacker.ts'
import { fieldAttacks, lengthAttacks, negotiationAttacks } from './attacks/table.ts'
import { Rule } from './attacks/rule.ts'
import { Victim } from './attacks/victim.ts'
import { HOP, RESERVE } from './hop-client.ts'
import type { Step } from './attacks/rule.ts'

const LIMIT = { timeout: 90_000 }

const closers: Array<() => unknown> = []
const t = { after: (close: () => unknown) => void closers.push(close) } as never

let relay: Victim
let rule: Rule
let toRelay: AttackerConnection

before(async () => {
  relay = await Victim.start(t, { kind: 'relay' })
  toRelay = new AttackerConnection(await startAttacker(t), relay.addr)
  rule = await Rule.calibrate(relay, toRelay, proposal('/ipfs/ping/1.0.0'))
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

describe('1 MiB costs a relay at most 50 ms', LIMIT, () => {
  it('on a socket before encryption', async () => {
    await rule.hold(
      { victim: relay, valid: proposal('/noise'), send: async bytes => attackSocket(relay.port, bytes) },
      negotiationAttacks('/noise'),
    )
  })
  it('after the handshake', async () => {
    await rule.hold(
      { victim: relay, valid: proposal('/x'), send: async bytes => attackSecured(relay.addr, bytes) },
      negotiationAttacks('/yamux/1.0.0'),
    )
  })
  it('on a stream', async () => {
    await rule.hold(step(proposal('/x')), negotiationAttacks(HOP))
  })
  it('in a HOP request', async () => {
    const init = { maxBytes: 4096 } as const
    await rule.hold(
      { ...step(RESERVE), send: async (bytes, n) => toRelay.send(Buffer.concat([proposal(HOP), bytes]), n) },
      [...lengthAttacks(init), ...fieldAttacks(init)],
    )
  })
})

function step(valid: Buffer): Step {
  return { victim: relay, valid, send: async (bytes, streams) => toRelay.send(bytes, streams) }
}
