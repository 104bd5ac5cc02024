/** Directories that are their user's alone. */

import { spawnSync } from 'node:child_process'
import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makePrivateDirectory } from '../../../../src/files/private-directory.ts'
import type { TestContext } from 'node:test'

async function place(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-directory-'))
  t.after(async () => rm(directory, { recursive: true }))
  return directory
}

describe('a private directory', () => {
  test('is made with all that it lies in, and by several at once', async t => {
    const path = join(await place(t), 'a', 'b', 'c')
    await Promise.all([path, path, path].map(makePrivateDirectory))
    assert.ok((await stat(path)).isDirectory())
  })

  test('stays as it is when it is there, behind a link too', async t => {
    const directory = await place(t)
    await symlink(directory, join(directory, 'link'))
    const { mode } = await stat(directory)
    await makePrivateDirectory(join(directory, 'link'))
    assert.equal((await stat(directory)).mode, mode)
  })

  test('is not made below a link that leads nowhere, nor in the place of one', async t => {
    const directory = await place(t)
    await symlink(join(directory, 'nowhere'), join(directory, 'link'))
    for (const path of ['link', 'link/data', 'link/data/more'])
      await assert.rejects(makePrivateDirectory(join(directory, path)), { code: 'ENOENT' })
  })

  test('is not made where the file system has no place for it', {
    skip: process.platform !== 'linux' && 'there is no /proc',
  }, async () => {
    await assert.rejects(makePrivateDirectory('/proc/throughnat/data'), { code: 'ENOENT' })
  })

  test('is not made in the place of a file, nor below one', async t => {
    const file = join(await place(t), 'file')
    await writeFile(file, '')
    await assert.rejects(makePrivateDirectory(file), { code: 'EEXIST' })
    await assert.rejects(makePrivateDirectory(join(file, 'data')), { code: 'ENOTDIR' })
  })
})

describe('src/files/private-directory.ts', () => {
  test('exists because mkdir of Node does not come back from /proc', {
    skip: process.platform !== 'linux',
  }, () => {
    const make = `fs.promises.mkdir('/proc/throughnat', { recursive: true })`
    const { error } = spawnSync(process.execPath, ['-e', make], { timeout: 3_000, killSignal: 'SIGKILL' })
    assert.equal((error as NodeJS.ErrnoException | undefined)?.code, 'ETIMEDOUT')
  })
})
