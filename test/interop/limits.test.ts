/** The terms of a relay, between implementations: seconds, bytes in each direction, and what happens when they are used up. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createStage } from '../lab/stage.ts'
import { programOf } from './programs.ts'
import type { Remote } from '../lab/remote.ts'
import type { Stage } from '../lab/stage.ts'
import type { Implementation } from './programs.ts'

/** go-libp2p, p2p/protocol/circuitv2/relay/resources.go, which the profile `public` follows. */
const CONVENTION = { bytes: 128 * 1024, seconds: 120 }

/** `ReservationTTL` there, in seconds. */
const RESERVATION_SECONDS = 3600

/** NATs that keep the two relayed. */
const RELAYED = 'apdm-apdf-drop'

describe('a relay with the limits of the network', { concurrency: 3 }, () => {
  it('of go-libp2p: our peer holds a reservation, knows what is left of a circuit, and says why it was cut', async () => {
    await using stage = await createPublicStage('go')
    await stage.evident('our peers at a limited go relay', async () => {
      const dialer = await connectPeers(stage, 'ours', 'ours')
      const { limits } = await dialer.do<{ limits: CircuitLimits }>('limits', { name: 'peer' })
      assert.ok(limits.secondsLeft <= CONVENTION.seconds && limits.secondsLeft > CONVENTION.seconds - 20)
      assert.ok(limits.bytesLeft <= CONVENTION.bytes && limits.bytesLeft > CONVENTION.bytes - 16 * 1024)
      await dialer.do('echo', { name: 'peer', bytes: 16 * 1024 })
      await assert.rejects(dialer.do('echo', { name: 'peer', bytes: 2 * CONVENTION.bytes }), {
        name: 'CircuitLimitError',
      })
    })
  })

  it('of ours: go-libp2p reads its seconds and its bytes, and takes the voucher', async () => {
    await using stage = await createPublicStage('ours')
    await stage.evident('a go peer reserves at our limited relay', async () => {
      const peer = await place(stage, 'peer', 'go')
      await peer.do('peer', { name: 'peer', relays: [stage.relayAddr()], reserve: false })
      const terms = await peer.do<Terms>('reserve', { name: 'peer', relays: [stage.relayAddr()] })
      assert.equal(terms.bytes, CONVENTION.bytes)
      assert.equal(terms.seconds, CONVENTION.seconds)
      assert.ok(Math.abs(terms.expiresSeconds - RESERVATION_SECONDS) < 60, `${terms.expiresSeconds} s`)
      assert.ok(
        terms.addrs.some(addr => stage.relayAddr().startsWith(addr)),
        terms.addrs.join(' '),
      )
      assert.ok(terms.hasVoucher)
    })
  })

  it('of ours: go-libp2p talks over a circuit of its, and is cut when the bytes are used up', async () => {
    await using stage = await createPublicStage('ours')
    await stage.evident('go peers at our limited relay', async () => {
      const dialer = await connectPeers(stage, 'go', 'go')
      await dialer.do('echo', { name: 'peer', bytes: 16 * 1024 })
      await assert.rejects(dialer.do('echo', { name: 'peer', bytes: 2 * CONVENTION.bytes }), /reset/)
    })
  })
})

interface CircuitLimits {
  bytesLeft: number
  secondsLeft: number
}

interface Terms {
  bytes: number
  seconds: number
  expiresSeconds: number
  addrs: string[]
  hasVoucher: boolean
}

async function createPublicStage(relay: Implementation): Promise<Stage> {
  const { program, args } = programOf(relay)
  return createStage({ delayMs: 20 }, program, args, { isPublic: true })
}

/** Connects an initiator to a responder; resolves with the first. */
async function connectPeers(
  stage: Stage,
  initiator: Implementation,
  responder: Implementation,
): Promise<Remote> {
  const listener = await place(stage, 'listener', responder)
  const dialer = await place(stage, 'dialer', initiator)
  const relays = [stage.relayAddr()]
  const { addrs } = await listener.do<{ addrs: string[] }>('peer', { name: 'peer', relays, reserve: true })
  await dialer.do('peer', { name: 'peer', relays, reserve: false })
  await dialer.do('connect', { name: 'peer', target: addrs[0] })
  return dialer
}

async function place(stage: Stage, name: string, implementation: Implementation): Promise<Remote> {
  const { program, args } = programOf(implementation)
  return stage.place(name, RELAYED, program, args)
}
