/** What may be asked of the office over the control socket. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { ticketRoutes } from '../../../../peer/tickets/routes.ts'
import { LocalOffice, readWish } from '../../../../peer/tickets/ticket-issuer.ts'
import { MAX_USES } from '../../../../peer/tickets/max-uses.ts'
import { longestDurationMs } from '../../../../src/config/kinds/quantities.ts'
import type { PeerId } from '@libp2p/interface'
import type { TicketBook, TicketWish } from '../../../../peer/tickets/ticket-book.ts'
import type { NewTicket } from '../../../../peer/tickets/ticket-issuer.ts'

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

test('a ticket that expires is not made by a clock that is certainly wrong', async t => {
  const issued: TicketWish[] = []
  const book = {
    issue: async (wish: TicketWish) => {
      issued.push(wish)
      throw new Error('enough')
    },
  } as unknown as TicketBook
  const relay = multiaddr('/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw')
  const office = new LocalOffice({ book, peerId: {} as PeerId, addrs: async () => [] })
  const make = async (validMs: number | null): Promise<NewTicket> =>
    office.issue({ service: 'ssh', validMs, uses: null }, [relay])
  t.mock.method(Date, 'now', () => 3_600_000)
  await assert.rejects(make(60_000), {
    name: 'InvalidConfigError',
    message: /clock is wrong: it shows 1970-01-01T01:00:00\.000Z/,
  })
  await assert.rejects(make(null), /enough/)
  t.mock.method(Date, 'now', () => Date.UTC(2026, 5, 1))
  await assert.rejects(make(60_000), /enough/)
  assert.equal(issued.length, 2)
})

for (const relays of [
  ['/unix/%'],
  ['/ip4/192.0.2.1/tcp/1/p2p/bafk'],
  ['/ip4/192.0.2.1/tcp/1/p2p/10OIl'],
  ['/ip4/192.0.2.1/tcp/1/p2p/1' + 'z'.repeat(60_000)],
  ['/nowhere'],
  [{ toString: 1 }],
  [null],
  'text',
])
  test(`relays that are ${JSON.stringify(relays).slice(0, 60)} are the fault of the request`, async () => {
    const { 'POST /tickets': issue } = ticketRoutes({} as LocalOffice)
    await assert.rejects(
      async () => issue?.({ service: 'ssh', relays }),
      (error: Error) => error.name === 'InvalidTargetError' || error.name === 'TypeError',
    )
  })
