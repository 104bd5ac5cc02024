/** Which tickets let whom in. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { TicketBook } from '../../../peer/tickets/ticket-book.ts'
import type { TicketDatabase, TicketRecord, TicketWish } from '../../../peer/tickets/ticket-book.ts'

const forever: TicketWish = { service: 'ssh', validMs: null, uses: null }

/** A database that survives a book. */
class Shelf implements TicketDatabase {
  readonly records = new Map<string, string>()

  async put(id: string, record: TicketRecord): Promise<void> {
    this.records.set(id, JSON.stringify(record))
  }

  async del(id: string): Promise<void> {
    this.records.delete(id)
  }

  async *values(): AsyncIterable<TicketRecord> {
    for (const text of this.records.values()) yield JSON.parse(text) as TicketRecord
  }

  async close(): Promise<void> {}
}

test('a ticket lets any number of peers use its service', async () => {
  const book = await TicketBook.open(new Shelf())
  const { ticket, secret } = await book.issue(forever)
  for (const peer of ['a', 'b', 'c'])
    assert.deepEqual(await book.redeem(secret, 'ssh', peer), { id: ticket.id })
})

test('a ticket is for one service', async () => {
  const book = await TicketBook.open(new Shelf())
  const { secret } = await book.issue(forever)
  assert.equal(await book.redeem(secret, 'web', 'a'), 'ticket-unknown')
})

test('a ticket ends when its time is over', async () => {
  let now = 1_000_000
  const book = await TicketBook.open(new Shelf(), () => now)
  const { secret } = await book.issue({ ...forever, validMs: 60_000 })
  now += 59_999
  assert.equal(typeof (await book.redeem(secret, 'ssh', 'a')), 'object')
  now += 1
  assert.equal(await book.redeem(secret, 'ssh', 'a'), 'ticket-expired')
})

test('a ticket for two peers lets two in, each as often as it likes, also after a restart', async () => {
  const shelf = new Shelf()
  const { secret } = await (await TicketBook.open(shelf)).issue({ ...forever, uses: 2 })
  const before = await TicketBook.open(shelf)
  for (const peer of ['a', 'a', 'b', 'a'])
    assert.equal(typeof (await before.redeem(secret, 'ssh', peer)), 'object')
  for (const book of [before, await TicketBook.open(shelf)]) {
    assert.equal(await book.redeem(secret, 'ssh', 'c'), 'ticket-used-up')
    assert.equal(typeof (await book.redeem(secret, 'ssh', 'b')), 'object')
  }
})

test('of many peers that come at once with a ticket for one, one is let in', async () => {
  const book = await TicketBook.open(new Shelf())
  const { secret } = await book.issue({ ...forever, uses: 1 })
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, peer) => book.redeem(secret, 'ssh', `${peer}`)),
  )
  assert.equal(answers.filter(it => typeof it === 'object').length, 1)
})

test('a revoked ticket lets nobody in, also after a restart', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { ticket, secret } = await book.issue({ ...forever, uses: 3 })
  assert.equal(book.isRevoked(ticket.id), false)
  assert.equal(await book.revoke(ticket.id), true)
  assert.equal(book.isRevoked(ticket.id), true)
  for (const each of [book, await TicketBook.open(shelf)])
    assert.equal(await each.redeem(secret, 'ssh', 'a'), 'ticket-unknown')
  assert.equal(await book.revoke(ticket.id), false)
})

test('a ticket that is revoked while a use is written stays revoked, and lets nobody in', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { ticket, secret } = await book.issue({ ...forever, uses: 3 })
  const [answer] = await Promise.all([book.redeem(secret, 'ssh', 'a'), book.revoke(ticket.id)])
  assert.equal(answer, 'ticket-unknown')
  assert.equal(shelf.records.size, 0)
})

test('what is kept and listed does not let anybody in', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { secret } = await book.issue(forever)
  for (const shown of [JSON.stringify([...shelf.records]), JSON.stringify(book.tickets)]) {
    assert.ok(!shown.includes(secret))
    // the key, behind the id
    assert.ok(!shown.includes(secret.slice(11)))
  }
})

test('whoever guesses is not even looked at after a few times, and nobody else is', async () => {
  const book = await TicketBook.open(new Shelf())
  const { secret } = await book.issue(forever)
  const answers: unknown[] = []
  for (let guess = 0; guess < 1000; guess++)
    answers.push(await book.redeem(randomBytes(24).toString('base64url'), 'ssh', 'guesser'))
  // five at once, and one more every five seconds
  assert.ok(answers.filter(it => it === 'ticket-unknown').length <= 7)
  assert.equal(await book.redeem(secret, 'ssh', 'guesser'), 'ticket-guesses')
  assert.equal(typeof (await book.redeem(secret, 'ssh', 'bearer')), 'object')
})

test('whoever guesses in the name of one peer after the other is not looked at either', async () => {
  const book = await TicketBook.open(new Shelf())
  const answers: unknown[] = []
  for (let guess = 0; guess < 100; guess++)
    answers.push(
      await book.redeem(randomBytes(24).toString('base64url'), 'ssh', `made up ${guess}`, 'guesser'),
    )
  assert.ok(answers.filter(it => it === 'ticket-unknown').length <= 6)
})

test('whatever is shown for a secret is answered', async () => {
  const book = await TicketBook.open(new Shelf())
  const { ticket } = await book.issue(forever)
  const ofThatId = Buffer.concat([Buffer.from(ticket.id, 'hex'), randomBytes(16)]).toString('base64url')
  for (const text of ['', '__proto__', 'x'.repeat(900), '\0', '='.repeat(32), ofThatId])
    assert.equal(await book.redeem(text, 'ssh', `peer ${text}`), 'ticket-unknown')
})

test('tickets that have ended are forgotten after a week', async () => {
  const shelf = new Shelf()
  const weekMs = 7 * 24 * 60 * 60_000
  let now = 1_000_000
  const book = await TicketBook.open(shelf, () => now)
  await book.issue({ ...forever, validMs: 1000 })
  now += weekMs + 1000
  assert.equal((await TicketBook.open(shelf, () => now)).tickets.length, 1)
  now += 1
  assert.equal((await TicketBook.open(shelf, () => now)).tickets.length, 0)
})
