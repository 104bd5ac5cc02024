/** What the dialing side says of a service that the listener refuses. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { openService } from '../../../../../peer/tunnel/dialer/open-service.ts'
import { encodeResponse } from '../../../../../peer/tunnel/wire/protocol.ts'
import type { OpenServiceOptions, OpenStream } from '../../../../../peer/tunnel/dialer/open-service.ts'

const NOW = new Date('2026-06-01T12:00:00.000Z')

/** Leads to a listener that refuses everything, in the same bytes. */
const toRefusal: OpenStream = async () => {
  const [outbound, inbound] = await streamPair()
  inbound.addEventListener('message', () => inbound.send(encodeResponse({ status: 'refused' })), {
    once: true,
  })
  return outbound
}

async function refusedWith(options: OpenServiceOptions): Promise<string> {
  try {
    await openService(toRefusal, 'ssh', options)
  } catch (error) {
    assert.equal((error as Error).name, 'ServiceRefusedError')
    return (error as Error).message
  }
  throw new Error('it was opened')
}

for (const [what, ticketExpiresAt, expected] of [
  ['has no end', undefined, /revoked\. Ask its owner for a new one\.$/],
  [
    'is valid by the clock here',
    new Date('2026-06-01T13:00:00.000Z'),
    /By this machine's clock, which shows 2026-06-01T12:00:00\.000Z, it is valid until 2026-06-01T13:00:00\.000Z; if it has expired, the clocks differ\.$/,
  ],
  [
    'has expired by the clock here',
    new Date('2026-06-01T11:00:00.000Z'),
    /By this machine's clock it expired at 2026-06-01T11:00:00\.000Z\.$/,
  ],
] as const)
  test(`the error for a ticket that ${what} says what the clock here makes of it`, async t => {
    t.mock.timers.enable({ apis: ['Date'], now: NOW })
    const options = ticketExpiresAt === undefined ? {} : { ticketExpiresAt }
    assert.match(await refusedWith({ credentials: { ticket: 'secret' }, ...options }), expected)
  })

test('the error without a ticket does not mention one', async () => {
  assert.doesNotMatch(await refusedWith({}), /ticket|clock/)
})
