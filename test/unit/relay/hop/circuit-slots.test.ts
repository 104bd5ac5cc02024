/** The slots of circuits: in all, of each peer, between each two, and back to none. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CircuitSlots } from '../../../../relay/hop/circuit-slots.ts'
import { only, peer } from '../peers.ts'
import { turns } from '../../../waits.ts'
import type { SlotHolder } from '../../../../relay/hop/circuit-slots.ts'
import type { LimitOverrides } from '../../../../relay/limits/limits.ts'

/** Takes a slot that must be free. */
function take(slots: CircuitSlots, initiator: number, responder: number): () => void {
  const slot = slots.take({ initiator: peer(initiator), responder: peer(responder) })
  assert.ok(typeof slot === 'function', `refused: ${slot.toString()}`)
  return slot
}

/** The reason why there is no slot. */
function refusal(slots: CircuitSlots, initiator: number, responder: number): string {
  const slot = slots.take({ initiator: peer(initiator), responder: peer(responder) })
  assert.ok(typeof slot === 'string', 'there is a slot')
  return slot
}

const slotsOf = (limits: LimitOverrides): CircuitSlots => new CircuitSlots(only(limits))

describe('slots', () => {
  it('in all are as many as may be, and are free again', () => {
    const slots = slotsOf({ maxCircuits: 2 })
    const first = take(slots, 0, 1)
    take(slots, 2, 3)
    assert.equal(slots.taken, 2)
    assert.equal(refusal(slots, 4, 5), 'too-many')
    first()
    assert.equal(slots.taken, 1)
    take(slots, 4, 5)
  })

  it('of a peer are counted wherever the circuit begins', () => {
    const slots = slotsOf({ maxCircuitsPerPeer: 2 })
    const out = take(slots, 0, 1)
    const back = take(slots, 2, 0)
    assert.equal(refusal(slots, 0, 3), 'too-many-for-peer')
    assert.equal(refusal(slots, 3, 0), 'too-many-for-peer')
    out()
    take(slots, 3, 0)()
    back()
    assert.equal(slots.taken, 0)
  })

  it('between two peers are counted whoever opened the circuit', () => {
    const slots = slotsOf({ maxCircuitsPerPair: 2 })
    const out = take(slots, 0, 1)
    take(slots, 1, 0)
    assert.equal(refusal(slots, 0, 1), 'too-many-for-pair')
    assert.equal(refusal(slots, 1, 0), 'too-many-for-pair')
    take(slots, 0, 2)
    out()
    take(slots, 1, 0)
  })

  it('from a peer to itself count once for it', () => {
    const slots = slotsOf({ maxCircuitsPerPeer: 2 })
    const free = [take(slots, 0, 0), take(slots, 0, 0)]
    assert.equal(refusal(slots, 0, 1), 'too-many-for-peer')
    for (const it of free) it()
    take(slots, 0, 1)
    take(slots, 0, 1)
  })

  it('that are refused are not taken', () => {
    const slots = slotsOf({ maxCircuits: 3, maxCircuitsPerPeer: 2, maxCircuitsPerPair: 1 })
    const free = [take(slots, 0, 1)]
    for (let n = 0; n < 10; n++) assert.equal(refusal(slots, 0, 1), 'too-many-for-pair')
    free.push(take(slots, 0, 2))
    for (let n = 0; n < 10; n++) assert.equal(refusal(slots, 0, 3), 'too-many-for-peer')
    free.push(take(slots, 3, 4))
    for (let n = 0; n < 10; n++) assert.equal(refusal(slots, 5, 6), 'too-many')
    for (const it of free) it()
    assert.equal(slots.taken, 0)
    take(slots, 0, 1)
    take(slots, 5, 6)
    take(slots, 0, 3)
  })

  it('may be none', () => {
    assert.equal(refusal(slotsOf({ maxCircuits: 0 }), 0, 1), 'too-many')
    assert.equal(refusal(slotsOf({ maxCircuitsPerPeer: 0 }), 0, 1), 'too-many-for-peer')
    assert.equal(refusal(slotsOf({ maxCircuitsPerPair: 0 }), 0, 1), 'too-many-for-pair')
  })
})

describe('waiting for all slots to be free', () => {
  it('ends immediately where none is taken', async () => {
    await slotsOf({}).emptied()
  })

  it('ends when the last of them is, for all who wait', async () => {
    const slots = slotsOf({})
    const free = [take(slots, 0, 1), take(slots, 2, 3)]
    let waiting = 2
    const waits = [slots.emptied(), slots.emptied()].map(wait => wait.then(() => waiting--))
    free[0]?.()
    await turns(1)
    assert.equal(waiting, 2)
    free[1]?.()
    await Promise.all(waits)
    assert.equal(waiting, 0)
  })

  it('goes on where one is taken in the instant when the last was freed', async () => {
    const slots = slotsOf({})
    const first = take(slots, 0, 1)
    let isOver = false
    const wait = slots.emptied().then(() => (isOver = true))
    first()
    const second = take(slots, 0, 1)
    await turns(1)
    assert.equal(isOver, false)
    second()
    await wait
  })
})

describe('a circuit that finds no slot', () => {
  const LIMITS = { maxCircuitsPerPeer: 4 }
  const VICTIM = 0
  let clock = 0

  interface Asked extends SlotHolder {
    isOpen: boolean
    usedAt: number
  }

  /** Asks for a circuit to the victim; `from` are the network, the address and the number of the initiator. */
  function ask(slots: CircuitSlots, from: string, init: Partial<Asked> = {}): Asked {
    const path = from.split(' ')
    const holder: Asked = {
      path,
      isNamed: false,
      usedAt: clock,
      isOpen: true,
      replace: () => (holder.isOpen = false),
      ...init,
    }
    const slot = slots.take({ initiator: peer(Number(path.at(-1))), responder: peer(VICTIM) }, holder)
    holder.isOpen = typeof slot === 'function'
    return holder
  }

  const timed = (limits: LimitOverrides): CircuitSlots => new CircuitSlots(only(limits), () => clock)
  const openOf = (holders: readonly Asked[]): boolean[] => holders.map(it => it.isOpen)

  for (const [what, limits] of [
    ['of a peer', LIMITS],
    ['of the relay', { maxCircuits: 4 }],
  ] as const)
    it(`${what} takes that of the network which has most of them`, () => {
      const slots = timed(limits)
      const attackers = [1, 2, 3, 4].map(n => ask(slots, `a 1 ${n}`, { usedAt: 10 - n }))
      assert.equal(ask(slots, 'b 1 5').isOpen, true)
      assert.deepEqual(openOf(attackers), [true, true, true, false])
      assert.equal(slots.taken, 4)
    })

  it('takes nothing of a network that has no more than its own', () => {
    const slots = timed(LIMITS)
    const holders = ['a 1 1', 'a 1 2', 'b 1 3', 'b 1 4'].map(from => ask(slots, from))
    assert.equal(ask(slots, 'a 1 5').isOpen, false)
    assert.deepEqual(openOf(holders), [true, true, true, true])
  })

  it('takes an idle one of a network that has one more', () => {
    const slots = timed(LIMITS)
    clock = 0
    const holders = ['a 1 1', 'b 1 2', 'c 1 3', 'd 1 4'].map(from => ask(slots, from))
    clock = 29_999
    assert.equal(ask(slots, 'e 1 5').isOpen, false)
    clock = 30_000
    holders[0]!.usedAt = clock
    assert.equal(ask(slots, 'e 1 5').isOpen, true)
    assert.deepEqual(openOf(holders), [true, false, true, true])
  })

  it('takes that of any stranger for a peer that a rule names, and never that of a named peer', () => {
    const slots = timed(LIMITS)
    const named = { isNamed: true }
    const holders = [ask(slots, 'a 1 1'), ...[2, 3, 4].map(n => ask(slots, `a 1 ${n}`, named))]
    assert.equal(ask(slots, 'b 1 5').isOpen, false)
    assert.equal(ask(slots, 'a 1 6', named).isOpen, true)
    assert.deepEqual(openOf(holders), [false, true, true, true])
    assert.equal(ask(slots, 'b 1 7').isOpen, false)
    assert.equal(ask(slots, 'b 1 8', named).isOpen, true)
    assert.equal(slots.taken, 4)
  })

  it('lets a peer whose slots strangers have taken open one itself', () => {
    const slots = timed(LIMITS)
    const attackers = [1, 2, 3, 4].map(n => ask(slots, `a 1 ${n}`))
    let isOpen = true
    const holder = { path: ['v', '1', 'v'], isNamed: false, usedAt: clock, replace: () => (isOpen = false) }
    assert.equal(typeof slots.take({ initiator: peer(VICTIM), responder: peer(9) }, holder), 'function')
    assert.ok(isOpen)
    assert.equal(openOf(attackers).filter(it => it).length, 3)
  })

  it('is refused where the pair has too many', () => {
    const slots = timed({ maxCircuitsPerPair: 1 })
    clock = 0
    const first = ask(slots, 'a 1 1')
    clock = 60_000
    assert.equal(ask(slots, 'a 1 1').isOpen, false)
    assert.equal(first.isOpen, true)
  })

  it('gives back what it has taken', () => {
    const slots = timed(LIMITS)
    for (const from of ['a 1 1', 'a 1 2', 'a 1 3', 'a 1 4', 'b 1 5', 'c 1 6']) ask(slots, from)
    assert.equal(slots.taken, 4)
  })
})
