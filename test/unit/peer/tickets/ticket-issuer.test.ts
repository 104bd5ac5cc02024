/** What may be asked of the office over the control socket. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { readWish } from '../../../../peer/tickets/ticket-issuer.ts'
import { MAX_USES } from '../../../../peer/tickets/ticket-book.ts'
import { longestDurationMs } from '../../../../src/config/quantities.ts'

test('a wish may say how long, and for how many, as far as the command line does', () => {
  const most = { service: 'ssh', validMs: longestDurationMs, uses: MAX_USES }
  assert.deepEqual(readWish(most), most)
  assert.deepEqual(readWish({ service: 'ssh' }), { service: 'ssh', validMs: null, uses: null })
})

for (const [name, wish] of Object.entries({
  'no object': 'ssh',
  'no service': {},
  'a time without end': { service: 'ssh', validMs: longestDurationMs + 1 },
  'no time': { service: 'ssh', validMs: 0 },
  'more peers than are counted': { service: 'ssh', uses: MAX_USES + 1 },
  'half a peer': { service: 'ssh', uses: 0.5 },
}))
  test(`a wish with ${name} is refused`, () => assert.throws(() => readWish(wish), TypeError))
