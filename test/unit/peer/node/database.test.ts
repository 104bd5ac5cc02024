/** A database whose disk fails: what was written stays, and nothing that was accepted later is lost. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { mkdtemp, rm } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Database } from '../../../../peer/node/database.ts'
import { SmallDisk, cannotMount } from '../../../network/small-disk.ts'
import type { Change } from '../../../../peer/node/database.ts'
import type { TestContext } from 'node:test'

const onDisk = { skip: cannotMount, timeout: 60_000 }

const put = (key: string): Change<string> => ({ type: 'put', key, value: 'x'.repeat(500) })

async function keysOf(database: Database<string>): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of database.entries()) keys.push(key)
  return keys
}

/** Tries until it works: a failed disk is looked at once a second. */
async function eventually(t: TestContext, act: () => Promise<void>): Promise<void> {
  for (;;) {
    t.signal.throwIfAborted()
    try {
      await act()
      return
    } catch (error) {
      if ((error as Error).name !== 'DataDirError') throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

async function failWrites(database: Database<string>): Promise<void> {
  for (let n = 0; n < 100; n += 1)
    try {
      await database.write([put(`early-${n}`)])
    } catch (error) {
      assert.equal((error as { problem?: string }).problem, 'ENOSPC')
      return
    }
  assert.fail('the disk is not full')
}

test(
  'LevelDB alone loses what it has accepted after a full disk; then Database is not needed',
  onDisk,
  async t => {
    const disk = await SmallDisk.mount(t, '2m')
    const level = new ClassicLevel<string, string>(join(disk.path, 'db'))
    await level.put('first', 'x')
    disk.fill()
    for (let n = 0; n < 100; n += 1) await level.put(`early-${n}`, 'x'.repeat(500)).catch(() => {})
    disk.free()
    for (let n = 0; n < 100; n += 1) await level.put(`late-${n}`, 'x'.repeat(500))
    await level.close()
    await level.open()
    const keys = await level.keys().all()
    await level.close()
    assert.equal(keys.filter(it => it.startsWith('late')).length, 0)
  },
)

test('what is written after a full disk is there at the next start', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '2m')
  {
    await using database = await Database.open<string>(disk.path, 'db', 'json')
    await database.write([put('first')])
    disk.fill()
    await failWrites(database)
    assert.ok((await keysOf(database)).includes('first'), 'it can be read while the disk is full')
    await assert.rejects(Database.open(disk.path, 'db', 'json'), { reason: 'in-use' })
    disk.free()
    for (let n = 0; n < 100; n += 1) await eventually(t, async () => database.write([put(`late-${n}`)]))
  }
  await using database = await Database.open<string>(disk.path, 'db', 'json')
  assert.equal((await keysOf(database)).filter(it => it.startsWith('late')).length, 100)
})

test('the same after the disk was full again and again', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '2m')
  {
    await using database = await Database.open<string>(disk.path, 'db', 'json')
    for (let round = 0; round < 3; round += 1) {
      disk.fill()
      await failWrites(database)
      disk.free()
      await eventually(t, async () => database.write([put(`late-${round}`)]))
    }
  }
  await using database = await Database.open<string>(disk.path, 'db', 'json')
  assert.equal((await keysOf(database)).filter(it => it.startsWith('late')).length, 3)
})

test(
  'a database on a full disk opens empty, and with its records when the disk has space',
  onDisk,
  async t => {
    const disk = await SmallDisk.mount(t, '2m')
    {
      await using database = await Database.open<string>(disk.path, 'db', 'json')
      await database.write([put('first')])
    }
    disk.fill()
    await using database = await Database.open<string>(disk.path, 'db', 'json')
    assert.equal(database.isOpen, false)
    await assert.rejects(database.write([put('second')]), { problem: 'ENOSPC' })
    disk.free()
    await eventually(t, async () => database.write([put('second')]))
    assert.deepEqual(await keysOf(database), ['first', 'second'])
  },
)

test(
  'a database on a read-only disk opens empty, and with its records when the disk can be written',
  onDisk,
  async t => {
    const disk = await SmallDisk.mount(t, '2m')
    {
      await using database = await Database.open<string>(disk.path, 'db', 'json')
      await database.write([put('first')])
    }
    disk.remount('ro')
    await using database = await Database.open<string>(disk.path, 'db', 'json')
    await assert.rejects(database.write([put('second')]), { problem: 'EROFS' })
    disk.remount('rw')
    await eventually(t, async () => database.recover())
    assert.deepEqual(await keysOf(database), ['first'])
  },
)

test('a limit on the size of files is the reason that is given', {
  skip: process.platform !== 'linux',
  timeout: 60_000,
}, async t => {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-database-'))
  t.after(async () => rm(path, { recursive: true, force: true }))
  const module = fileURLToPath(new URL('../../../../peer/node/database.ts', import.meta.url))
  const script = `
    import { Database } from ${JSON.stringify(module)}
    const database = await Database.open(${JSON.stringify(path)}, 'db', 'json')
    for (let n = 0; n < 100; n += 1)
      await database.write([{ type: 'put', key: 'k' + n, value: 'x'.repeat(500) }]).catch(({ problem }) => {
        console.log(problem)
        process.exit()
      })`
  const args = ['-c', 'ulimit -f 16; exec "$0" --input-type=module -e "$1"', process.execPath, script]
  const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8', timeout: 30_000 })
  assert.equal(stdout, 'EFBIG\n', stderr)
})
