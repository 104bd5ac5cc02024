/** Requests for services that are in progress. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { RequestSlots } from '../../../../../peer/tunnel/listener/request-slots.ts'
import { OLD_REQUESTS } from '../../../../../peer/tunnel/listener/service-limits.ts'
import type { PeerRank } from '../../../../../peer/limits/rank.ts'

/** Takes slots, and returns whose were lost. */
function createStage(): { lost: string[]; take: (peerId: string, count: number, rank?: PeerRank) => number } {
  const lost: string[] = []
  const slots = new RequestSlots({ perPeer: 1024, total: 2048 })
  return {
    lost,
    take: (peerId, count, rank = 'stranger') =>
      Array.from({ length: count }, () => slots.take(peerId, rank, () => lost.push(peerId))).filter(Boolean)
        .length,
  }
}

test('two strangers that take all slots make room for a third, and touch no other rank', () => {
  const { lost, take } = createStage()
  assert.deepEqual([take('p', 2000), take('q', 2000), take('holder', 1)], [1024, 1024, 1])
  assert.equal(lost.length, 1)
  assert.deepEqual([take('friend', 1, 'named'), take('user', 1, 'known')], [1, 1])
  assert.equal(lost.length, 1)
})

test('a stranger loses requests that are old, one for each new one, until few are left', t => {
  t.mock.method(performance, 'now', () => 0)
  const { lost, take } = createStage()
  take('p', 100)
  take('friend', 100, 'named')
  t.mock.method(performance, 'now', () => OLD_REQUESTS.olderThanMs + 1)
  take('p', 20)
  take('friend', 20, 'named')
  assert.deepEqual(
    lost,
    Array.from({ length: 20 }, () => 'p'),
  )
})
