/** The slots of circuits: in all, of each peer, between each two, and back to none. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CircuitSlots } from '../../../../relay/hop/circuit-slots.ts'
import { only, peer } from '../peers.ts'
import { turns } from '../../../waits.ts'
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
