/** What libp2p remembers, in front of a database that fails, hangs or has gone. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WriteBehind } from '../../../../peer/node/write-behind.ts'
import type { Change, Database, KeyRange } from '../../../../peer/node/database.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

/** A database in memory whose disk fails as told. */
class FakeDatabase {
  readonly records = new Map<string, Uint8Array>()
  readonly isOpen = true
  failure: string | undefined
  /** Reads and writes that never end. */
  isHanging = false
  reads = 0
  writes = 0

  async write(changes: readonly Change<Uint8Array>[]): Promise<void> {
    this.writes += 1
    if (this.isHanging) await new Promise(() => {})
    if (this.failure !== undefined) throw Object.assign(new Error('disk'), { problem: this.failure })
    for (const change of changes)
      if (change.type === 'put') this.records.set(change.key, change.value)
      else this.records.delete(change.key)
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.reads += 1
    if (this.isHanging) await new Promise(() => {})
    if (this.failure !== undefined) throw new Error('disk')
    return this.records.get(key)
  }

  async *entries({ gte = '', lt = '\uffff' }: KeyRange): AsyncIterable<[string, Uint8Array]> {
    for (const [key, value] of this.records) {
      if (this.failure !== undefined) throw new Error('disk')
      if (key >= gte && key < lt) yield [key, value]
    }
  }
}

interface Case {
  database: FakeDatabase
  records: WriteBehind
  failed: string[]
  recovered: Promise<number>
}

function create(): Case {
  const database = new FakeDatabase()
  const records = new WriteBehind(database as unknown as Database<Uint8Array>)
  const failed: string[] = []
  const { promise, resolve } = Promise.withResolvers<number>()
  records.watch({ failed: reason => failed.push(reason), recovered: resolve })
  return { database, records, failed, recovered: promise }
}

async function keysOf(records: WriteBehind, range: KeyRange = {}): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of records.iterator(range)) keys.push(Buffer.from(key).toString())
  return keys.toSorted()
}

test('a record is read back immediately, and written in the background', async () => {
  const { database, records, failed } = create()
  await records.put('a', bytes('1'))
  assert.deepEqual(await records.get('a'), bytes('1'))
  await records.close()
  assert.deepEqual(database.records.get('a'), bytes('1'))
  assert.deepEqual(failed, [])
})

for (const reason of ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EFBIG'])
  test(`${reason} rejects no write, loses no record, and is reported once`, { timeout: 10_000 }, async () => {
    const { database, records, failed, recovered } = create()
    database.records.set('before', bytes('0'))
    database.failure = reason
    for (let n = 0; n < 50; n += 1) await records.put(`k${n}`, bytes(String(n)))
    await records.del('k0')
    await records.batch([
      { type: 'put', key: 'batch', value: bytes('1') },
      { type: 'del', key: 'k1' },
    ])
    assert.deepEqual(await records.get('k49'), bytes('49'))
    assert.equal(await records.get('k0'), undefined)
    assert.equal(await records.get('before'), undefined)
    assert.equal((await keysOf(records)).length, 49)
    assert.deepEqual(failed, [reason])
    database.failure = undefined
    assert.equal(await recovered, 0)
    assert.equal(database.records.size, 50)
    await records.close()
  })

test('records beyond a bound are dropped and counted while the disk is full', {
  timeout: 10_000,
}, async () => {
  const { database, records, recovered } = create()
  database.failure = 'ENOSPC'
  for (let n = 0; n < 1_500; n += 1) await records.put(`k${n}`, bytes(String(n)))
  database.failure = undefined
  assert.equal(await recovered, 500)
  assert.equal(database.records.size, 1_000)
  assert.ok(database.records.has('k1499'))
})

test('while the disk works, no record is dropped, and few stay in memory', async () => {
  const { database, records } = create()
  for (let n = 0; n < 5_000; n += 1) {
    await records.put(`k${n}`, bytes(String(n)))
    if (n % 500 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await records.close()
  assert.equal(database.records.size, 5_000)
  assert.deepEqual(await records.get('k0'), bytes('0'))
  assert.equal(database.reads, 1)
})

test('a disk that hangs holds back no write, and one read for a moment', { timeout: 10_000 }, async () => {
  const { database, records } = create()
  database.isHanging = true
  for (let n = 0; n < 50; n += 1) await records.put(`k${n}`, bytes('1'))
  assert.deepEqual(await records.get('k7'), bytes('1'))
  assert.equal(await records.get('other'), undefined)
  for (let n = 0; n < 50; n += 1) assert.equal(await records.get(`other-${n}`), undefined)
  assert.deepEqual([database.reads, database.writes], [1, 1])
})

test('a disk that does not answer is reported once', async t => {
  const { database, records, failed } = create()
  database.isHanging = true
  t.mock.timers.enable({ apis: ['setTimeout'] })
  await records.put('a', bytes('1'))
  t.mock.timers.tick(9_999)
  assert.deepEqual(failed, [])
  t.mock.timers.tick(60_000)
  await records.put('b', bytes('1'))
  assert.deepEqual(failed, ['no answer'])
})

test('records in memory hide those on the disk, also deleted ones', async () => {
  const { database, records } = create()
  for (const key of ['/p/a', '/p/b', '/q/c']) database.records.set(key, bytes('disk'))
  database.failure = 'ENOSPC'
  await records.put('/p/a', bytes('memory'))
  await records.del('/p/b')
  await records.put('/p/d', bytes('memory'))
  database.failure = undefined
  assert.deepEqual(await keysOf(records, { gte: '/p', lt: '/p\xFF' }), ['/p/a', '/p/d'])
  assert.equal(await records.get('/p/b'), undefined)
  await records.close()
})
