import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  ATTEMPTS_PER_REMOTE,
  DIALS_IN_ALL,
  DIALS_IN_ALL_PER_SECOND,
  DIALS_PER_ADDRESS,
  DIALS_PER_SECOND,
  PunchBudget,
} from '../../../../../src/holepunch/punch/punch-budget.ts'
import type { PeerId } from '@libp2p/interface'

const VICTIM = '11.0.0.1'

function start(): { budget: PunchBudget; pass: (ms: number) => void } {
  let at = 0
  const budget = new PunchBudget({ now: () => at })
  return {
    budget,
    pass: ms => {
      at += ms
    },
  }
}

async function createPeerId(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

/** Dials until there is nothing left; returns how often. */
function exhaust(budget: PunchBudget, hostOf: (n: number) => string): number {
  for (let n = 0; ; n++) if (budget.takeDial(hostOf(n)) > 0) return n
}

test('an upgrade that is refused throughout fits: three attempts of 100 dials', () => {
  const { budget } = start()
  for (let n = 0; n < 300; n++) assert.equal(budget.takeDial(VICTIM), 0)
})

test('in a minute one address is dialled 600 times, whoever names it', () => {
  const { budget, pass } = start()
  let dials = 0
  for (let ms = 0; ms < 60_000; ms += 10) {
    dials += exhaust(budget, () => VICTIM)
    pass(10)
  }
  assert.ok(dials <= DIALS_PER_ADDRESS + 60 * DIALS_PER_SECOND, `${dials} dials`)
  assert.ok(dials > DIALS_PER_ADDRESS + 50 * DIALS_PER_SECOND, `${dials} dials`)
})

test('the wait that is told is long enough, and no longer', () => {
  const { budget, pass } = start()
  exhaust(budget, () => VICTIM)
  const waitMs = budget.takeDial(VICTIM)
  pass(waitMs - 1)
  assert.ok(budget.takeDial(VICTIM) > 0)
  pass(1)
  assert.equal(budget.takeDial(VICTIM), 0)
})

test('another address can be dialled where one has had its share', () => {
  const { budget } = start()
  exhaust(budget, () => VICTIM)
  assert.equal(budget.takeDial('11.0.0.2'), 0)
})

test('all addresses of one IPv6 network of 64 bits share', () => {
  const { budget } = start()
  assert.equal(
    exhaust(budget, n => `2a0f:fade:1:1::${n.toString(16)}`),
    DIALS_PER_ADDRESS,
  )
  assert.equal(budget.takeDial('2a0f:fade:1:2::1'), 0)
})

test('all addresses together have a bound', () => {
  const { budget, pass } = start()
  const host = (n: number): string => `11.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
  assert.equal(exhaust(budget, host), DIALS_IN_ALL)
  pass(1_000)
  assert.equal(exhaust(budget, host), DIALS_IN_ALL_PER_SECOND)
})

test('a dial that nobody answers counts once for each second: the kernel repeats its SYN', () => {
  const { budget, pass } = start()
  assert.equal(budget.takeDial(VICTIM), 0)
  budget.chargeRepetitions(VICTIM, 4_999)
  assert.equal(
    exhaust(budget, () => VICTIM),
    DIALS_PER_ADDRESS - 5,
  )
  // where there is nothing left it is owed
  budget.chargeRepetitions(VICTIM, 2_000)
  pass(2_000 / DIALS_PER_SECOND)
  assert.ok(budget.takeDial(VICTIM) > 0)
  pass(1_000 / DIALS_PER_SECOND)
  assert.equal(budget.takeDial(VICTIM), 0)
})

test('dials of an endpoint that proved itself are given back', () => {
  const { budget } = start()
  exhaust(budget, () => VICTIM)
  budget.refundDials(VICTIM, 2)
  assert.equal(
    exhaust(budget, () => VICTIM),
    2,
  )
})

test('a remote has three upgrades in vain, and one a minute from then on', async () => {
  const { budget, pass } = start()
  const [remote, other] = [await createPeerId(), await createPeerId()]
  for (let n = 0; n < ATTEMPTS_PER_REMOTE; n++) assert.equal(budget.takeAttempt(remote), true)
  assert.equal(budget.takeAttempt(remote), false)
  assert.equal(budget.takeAttempt(other), true)
  pass(60_000)
  for (let n = 0; n < 3; n++) assert.equal(budget.takeAttempt(remote), true)
  assert.equal(budget.takeAttempt(remote), false)
})

test('attempts that led to a direct connection do not count', async () => {
  const { budget } = start()
  const remote = await createPeerId()
  for (let n = 0; n < 1_000; n++) {
    assert.equal(budget.takeAttempt(remote), true)
    budget.refundAttempts(remote, 1)
  }
})
