/** Which tickets let whom in. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { TicketBook } from '../../../../peer/tickets/ticket-book.ts'
import type { TicketRefusal } from '../../../../peer/tunnel/listener/service-events.ts'
import type { TicketDatabase, TicketRecord, TicketWish } from '../../../../peer/tickets/ticket-book.ts'

const forever: TicketWish = { service: 'ssh', validMs: null, uses: null }

/** A database that survives a book. */
class Shelf implements TicketDatabase {
  readonly records = new Map<string, string>()
  isFull = false
  isUnreadable = false

  async put(id: string, record: TicketRecord): Promise<void> {
    if (this.isFull) throw new Error('no space left')
    this.records.set(id, JSON.stringify(record))
  }

  async del(id: string): Promise<void> {
    if (this.isFull) throw new Error('no space left')
    this.records.delete(id)
  }

  async *values(): AsyncIterable<TicketRecord> {
    if (this.isUnreadable) throw new Error('cannot be read')
    for (const text of this.records.values()) yield JSON.parse(text) as TicketRecord
  }

  async close(): Promise<void> {}
}

/** As a listener does with what a peer shows, when the service has accepted. */
async function redeem(
  book: TicketBook,
  ...[secret, service, bearer, caller]: [string, string, string, string?]
): Promise<{ id: string } | TicketRefusal> {
  const looked = book.look(secret, service, bearer, caller)
  if (typeof looked === 'string') return looked
  return (await book.count(looked.id, bearer)) ?? looked
}

test('a ticket lets any number of peers use its service', async () => {
  const book = await TicketBook.open(new Shelf())
  const { ticket, secret } = await book.issue(forever)
  for (const peer of ['a', 'b', 'c'])
    assert.deepEqual(await redeem(book, secret, 'ssh', peer), { id: ticket.id })
})

test('a ticket is for one service', async () => {
  const book = await TicketBook.open(new Shelf())
  const { secret } = await book.issue(forever)
  assert.equal(await redeem(book, secret, 'web', 'a'), 'ticket-unknown')
})

const [MINUTE, DAY] = [60_000, 24 * 60 * 60_000]

for (const [what, validMs, allowedMs] of [
  ['a minute ends after a tenth more', MINUTE, MINUTE / 10],
  ['a day ends 5 min later', DAY, 5 * MINUTE],
] as const)
  test(`a ticket for ${what}, since clocks are set`, async () => {
    let now = Date.UTC(2026, 5, 1)
    const book = await TicketBook.open(new Shelf(), () => now)
    const { secret } = await book.issue({ ...forever, validMs })
    now += validMs + allowedMs - 1
    assert.equal(typeof (await redeem(book, secret, 'ssh', 'a')), 'object')
    now += 1
    assert.equal(await redeem(book, secret, 'ssh', 'a'), 'ticket-expired')
  })

test('a ticket that has expired stays so when the clock goes back', async () => {
  const shelf = new Shelf()
  const madeAt = Date.UTC(2026, 5, 1)
  const { secret } = await (await TicketBook.open(shelf, () => madeAt)).issue({ ...forever, validMs: DAY })
  for (const [now, expected] of [
    [madeAt + 2 * DAY, 'ticket-expired'],
    [madeAt - 2 * DAY, 'ticket-clock'],
    [0, 'ticket-clock'],
    [madeAt - 6 * MINUTE, 'ticket-clock'],
  ] as const)
    assert.equal(await redeem(await TicketBook.open(shelf, () => now), secret, 'ssh', 'a'), expected)
})

test('a clock that is set back by some minutes shuts nobody out, nor does any clock where tickets do not expire', async () => {
  let now = Date.UTC(2026, 5, 1)
  const book = await TicketBook.open(new Shelf(), () => now)
  const [day, endless] = [await book.issue({ ...forever, validMs: DAY }), await book.issue(forever)]
  now -= 4 * MINUTE
  assert.equal(typeof (await redeem(book, day.secret, 'ssh', 'a')), 'object')
  for (now of [0, Date.UTC(2100, 0, 1)])
    assert.equal(typeof (await redeem(book, endless.secret, 'ssh', 'a')), 'object')
})

test('a ticket for two peers lets two in, each as often as it likes, also after a restart', async () => {
  const shelf = new Shelf()
  const { secret } = await (await TicketBook.open(shelf)).issue({ ...forever, uses: 2 })
  const before = await TicketBook.open(shelf)
  for (const peer of ['a', 'a', 'b', 'a'])
    assert.equal(typeof (await redeem(before, secret, 'ssh', peer)), 'object')
  for (const book of [before, await TicketBook.open(shelf)]) {
    assert.equal(await redeem(book, secret, 'ssh', 'c'), 'ticket-used-up')
    assert.equal(typeof (await redeem(book, secret, 'ssh', 'b')), 'object')
  }
})

test('of many peers that come at once with a ticket for one, one is let in', async () => {
  const book = await TicketBook.open(new Shelf())
  const { secret } = await book.issue({ ...forever, uses: 1 })
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, peer) => redeem(book, secret, 'ssh', `${peer}`)),
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
    assert.equal(await redeem(each, secret, 'ssh', 'a'), 'ticket-unknown')
  assert.equal(await book.revoke(ticket.id), false)
})

test('a ticket that is revoked while a use is written stays revoked', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { ticket, secret } = await book.issue({ ...forever, uses: 3 })
  await Promise.all([redeem(book, secret, 'ssh', 'a'), book.revoke(ticket.id)])
  assert.equal(book.isRevoked(ticket.id), true)
  assert.equal(shelf.records.size, 0)
  assert.equal(await book.count(ticket.id, 'b'), 'ticket-unknown')
})

test('looking at a ticket counts no use of it', async () => {
  const book = await TicketBook.open(new Shelf())
  const { ticket, secret } = await book.issue({ ...forever, uses: 1 })
  for (const peer of ['a', 'b', 'c'])
    assert.deepEqual(book.look(secret, 'ssh', peer, peer), { id: ticket.id })
  assert.deepEqual(await redeem(book, secret, 'ssh', 'd'), { id: ticket.id })
  assert.equal(book.look(secret, 'ssh', 'a', 'a'), 'ticket-used-up')
})

test('a use that cannot be written lets nobody in, not even the second time, and is not counted', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { secret } = await book.issue({ ...forever, uses: 1 })
  shelf.isFull = true
  const both = await Promise.allSettled([redeem(book, secret, 'ssh', 'a'), redeem(book, secret, 'ssh', 'a')])
  assert.deepEqual(
    both.map(it => it.status),
    ['rejected', 'rejected'],
  )
  shelf.isFull = false
  assert.equal(typeof (await redeem(book, secret, 'ssh', 'b')), 'object')
})

test('a revocation that cannot be written can be tried again', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { ticket } = await book.issue(forever)
  shelf.isFull = true
  await assert.rejects(book.revoke(ticket.id), /no space left/)
  shelf.isFull = false
  assert.equal(await book.revoke(ticket.id), true)
})

test('a revocation that cannot be written holds while the book is open, and is written when it is closed', async () => {
  const shelf = new Shelf()
  const book = await TicketBook.open(shelf)
  const { ticket, secret } = await book.issue(forever)
  assert.deepEqual(book.look(secret, 'ssh', 'a'), { id: ticket.id })
  shelf.isFull = true
  await assert.rejects(book.revoke(ticket.id), /no space left/)
  assert.equal(book.look(secret, 'ssh', 'a'), 'ticket-unknown')
  assert.equal(await book.count(ticket.id, 'a'), 'ticket-unknown')
  assert.ok(book.isRevoked(ticket.id))
  assert.deepEqual(book.tickets, [])
  shelf.isFull = false
  await book.close()
  assert.equal(shelf.records.size, 0)
})

test('a book opens and issues also where tickets that have ended cannot be removed', async () => {
  const shelf = new Shelf()
  let now = 0
  const first = await TicketBook.open(shelf, () => now)
  await first.issue({ ...forever, validMs: 1 })
  now = 30 * 24 * 3_600_000
  shelf.isFull = true
  const second = await TicketBook.open(shelf, () => now)
  await assert.rejects(second.issue(forever), /no space left/)
  shelf.isFull = false
  await second.issue(forever)
  assert.equal(shelf.records.size, 1)
})

test('tickets that cannot be read let nobody in, cost no guesses, and are read when they can be', async () => {
  const shelf = new Shelf()
  const { secret } = await (await TicketBook.open(shelf)).issue(forever)
  shelf.isUnreadable = true
  const book = await TicketBook.open(shelf)
  for (let n = 0; n < 20; n += 1) assert.equal(book.look(secret, 'ssh', 'a'), 'ticket-unreadable')
  await assert.rejects(book.issue(forever), /cannot be read/)
  await assert.rejects(book.revoke('x'), /cannot be read/)
  shelf.isUnreadable = false
  await book.load()
  assert.equal(typeof (await redeem(book, secret, 'ssh', 'a')), 'object')
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
    answers.push(await redeem(book, randomBytes(24).toString('base64url'), 'ssh', 'guesser'))
  // five at once, and one more every five seconds
  assert.ok(answers.filter(it => it === 'ticket-unknown').length <= 7)
  assert.equal(await redeem(book, secret, 'ssh', 'guesser'), 'ticket-guesses')
  assert.equal(typeof (await redeem(book, secret, 'ssh', 'bearer')), 'object')
})

test('whoever guesses in the name of one peer after the other is not looked at either', async () => {
  const book = await TicketBook.open(new Shelf())
  const answers: unknown[] = []
  for (let guess = 0; guess < 100; guess++)
    answers.push(
      await redeem(book, randomBytes(24).toString('base64url'), 'ssh', `made up ${guess}`, 'guesser'),
    )
  assert.ok(answers.filter(it => it === 'ticket-unknown').length <= 6)
})

test('whatever is shown for a secret is answered', async () => {
  const book = await TicketBook.open(new Shelf())
  const { ticket } = await book.issue(forever)
  const ofThatId = Buffer.concat([Buffer.from(ticket.id, 'hex'), randomBytes(16)]).toString('base64url')
  for (const text of ['', '__proto__', 'x'.repeat(900), '\0', '='.repeat(32), ofThatId])
    assert.equal(await redeem(book, text, 'ssh', `peer ${text}`), 'ticket-unknown')
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

test('a ticket that is forgotten is not taken for a revoked one', async () => {
  let now = 1_000_000
  const book = await TicketBook.open(new Shelf(), () => now)
  const { ticket } = await book.issue({ ...forever, validMs: 1000 })
  now += 30 * 24 * 60 * 60_000
  await book.issue(forever)
  assert.equal(book.tickets.length, 1)
  assert.equal(book.isRevoked(ticket.id), false)
})
