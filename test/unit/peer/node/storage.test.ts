/** The data directory: one process at a time, and the same identity for the next. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStorage } from '../../../../peer/node/storage.ts'
import type { TestContext } from 'node:test'

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-storage-'))
  t.after(async () => rm(path, { recursive: true, force: true }))
  return path
}

test('a data directory that is open is refused to others, and has its identity for the next', async t => {
  const path = await directory(t)
  const first = await openStorage(path)
  await assert.rejects(openStorage(path), { name: 'DataDirError', reason: 'in-use', path })
  await first.close()
  const second = await openStorage(path)
  t.after(async () => second.close())
  assert.ok(second.privateKey.equals(first.privateKey))
})

test('a data directory that is a file is unusable', async t => {
  const path = join(await directory(t), 'file')
  await writeFile(path, '')
  await assert.rejects(openStorage(path), { name: 'DataDirError', reason: 'unusable' })
})
