/** What the tunnels of a node share, and what one peer leaves to the others. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { MemoryBudget } from '../../../../../peer/tunnel/resume/memory-budget.ts'

test('one peer takes half, and each that comes next half of what is left', () => {
  const budget = new MemoryBudget(1024)
  const taken = ['p', 'q', 'r'].map(peer => {
    const share = budget.share(peer)
    let bytes = 0
    for (; !share.isSpent; bytes++) share.spend(1)
    return bytes
  })
  assert.deepEqual(taken, [512, 256, 128])
})

test('what is given back by all tunnels of a peer can be taken by any other', () => {
  const budget = new MemoryBudget(100)
  const tunnels = [budget.share('p'), budget.share('p')]
  for (const tunnel of tunnels) tunnel.spend(30)
  assert.ok(budget.share('p').isSpent)
  for (const tunnel of tunnels) tunnel.spend(-30)
  assert.ok(!budget.share('p').isSpent)
  budget.share('q').spend(49)
  assert.ok(!budget.share('q').isSpent)
})
