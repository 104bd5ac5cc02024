/** Files and directories that another user could change or replace. Only root can give files away. */

import assert from 'node:assert/strict'
import { chmod, chown, lchown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { integrityFault } from '../../../../src/files/integrity.ts'
import type { TestContext } from 'node:test'

const skip = process.platform === 'win32' && 'Windows has no such modes'
const rootOnly = process.geteuid?.() !== 0 && 'only root can give files away'
const STRANGER = 54_321
const MINE = process.geteuid?.() ?? 0

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'throughnat-integrity-')))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** `top/middle/file`, all private. */
async function newTree(t: TestContext): Promise<{ top: string; middle: string; file: string }> {
  const top = await newDirectory(t)
  const middle = join(top, 'middle')
  const file = join(middle, 'file')
  await mkdir(middle, { mode: 0o700 })
  await writeFile(file, 'x', { mode: 0o600 })
  return { top, middle, file }
}

describe('what a path leads to', { skip }, () => {
  for (const mode of [0o600, 0o640, 0o644, 0o755, 0o400])
    test(`is trusted as a file with mode ${mode.toString(8)}`, async t => {
      const { file } = await newTree(t)
      await chmod(file, mode)
      assert.equal(await integrityFault(file, { env: {} }), undefined)
    })

  for (const [mode, who] of [
    [0o602, 'others'],
    [0o666, 'others'],
    [0o660, 'its group'],
    [0o620, 'its group'],
  ] as const)
    test(`is refused as a file with mode ${mode.toString(8)}, with the command that ends it`, {
      skip: rootOnly,
    }, async t => {
      const { file } = await newTree(t)
      await chmod(file, mode)
      const fault = await integrityFault(file, { env: {} })
      const expected = `${file} can be changed by ${who} (mode ${mode.toString(8)}); run: chmod 600 ${file};`
      assert.ok(fault?.startsWith(expected), fault)
      await chmod(file, 0o600)
      assert.equal(await integrityFault(file, { env: {} }), undefined)
    })

  for (const mode of [0o777, 0o707, 0o1777, 0o770])
    test(`is refused as a directory with mode ${mode.toString(8)}, sticky or not`, {
      skip: rootOnly,
    }, async t => {
      const { middle } = await newTree(t)
      await chmod(middle, mode)
      assert.match((await integrityFault(middle, { env: {} })) ?? '', /run: chmod 700 /)
    })

  for (const mode of [0o700, 0o750, 0o755])
    test(`is trusted as a directory with mode ${mode.toString(8)}`, async t => {
      const { middle } = await newTree(t)
      await chmod(middle, mode)
      assert.equal(await integrityFault(middle, { env: {} }), undefined)
    })

  for (const which of ['file', 'middle'] as const)
    test(`is refused if it belongs to another user: ${which}`, { skip: rootOnly }, async t => {
      const tree = await newTree(t)
      await chown(tree[which], STRANGER, STRANGER)
      const fault = await integrityFault(tree[which], { env: {} })
      assert.ok(fault !== undefined && fault.includes(`the user with the id ${STRANGER}`), fault)
      assert.ok(fault.endsWith(`run: chown ${MINE} ${tree[which]}`), fault)
    })

  test('is not looked at where it is a pipe or a descriptor of the caller', async t => {
    const { file } = await newTree(t)
    await chmod(file, 0o666)
    if (process.platform === 'linux') assert.equal(await integrityFault('/proc/self/exe'), undefined)
    assert.equal(await integrityFault('/dev/null'), undefined)
  })

  test('that does not exist is the error of stat(2)', async t => {
    await assert.rejects(integrityFault(join(await newDirectory(t), 'none')), { code: 'ENOENT' })
  })
})

describe('a directory on the way', { skip }, () => {
  for (const mode of [0o777, 0o773, 0o770])
    test(`that others can change (${mode.toString(8)}) lets them replace the file`, {
      skip: rootOnly,
    }, async t => {
      const { top, file } = await newTree(t)
      await chmod(top, mode)
      const fault = await integrityFault(file, { env: {} })
      assert.ok(fault !== undefined && fault.startsWith(`the directory ${top} can be changed by`), fault)
      assert.ok(fault.endsWith(`run: chmod go-w ${top}`), fault)
    })

  test('that is sticky, as /tmp is, does not', async t => {
    const { top, file } = await newTree(t)
    await chmod(top, 0o1777)
    assert.equal(await integrityFault(file, { env: {} }), undefined)
  })

  test('of another user is refused, also if it is sticky', { skip: rootOnly }, async t => {
    const { top, file } = await newTree(t)
    await chmod(top, 0o1777)
    await chown(top, STRANGER, STRANGER)
    assert.match((await integrityFault(file, { env: {} })) ?? '', /who can replace .*; use another place/)
  })

  test('of another user in the sticky directory is refused', { skip: rootOnly }, async t => {
    const { top, middle, file } = await newTree(t)
    await chmod(top, 0o1777)
    await chown(middle, STRANGER, STRANGER)
    assert.ok((await integrityFault(file, { env: {} }))?.includes(middle))
  })

  test('counts also where a relative path or .. leads there', async t => {
    const { top, middle } = await newTree(t)
    assert.equal(await integrityFault(join(middle, '..', 'middle', 'file'), { env: {} }), undefined)
    await symlink('../middle/./file', join(middle, 'link'))
    assert.equal(await integrityFault(join(top, 'middle', 'link'), { env: {} }), undefined)
  })
})

describe('a symbolic link', { skip }, () => {
  test('of this user is followed, and its target is checked', { skip: rootOnly }, async t => {
    const { top, middle, file } = await newTree(t)
    const link = join(top, 'link')
    await symlink(middle, link)
    assert.equal(await integrityFault(join(link, 'file'), { env: {} }), undefined)
    await chmod(file, 0o666)
    assert.ok((await integrityFault(join(link, 'file'), { env: {} }))?.startsWith(file))
  })

  test('of another user is refused, whatever it leads to', { skip: rootOnly }, async t => {
    const { top, file } = await newTree(t)
    const link = join(top, 'link')
    await symlink(file, link)
    await lchown(link, STRANGER, STRANGER)
    const fault = await integrityFault(link, { env: {} })
    assert.ok(fault?.startsWith(`the symbolic link ${link} belongs to`), fault)
  })

  test('in the middle of a chain of links is checked, too', { skip: rootOnly }, async t => {
    const { top, file } = await newTree(t)
    await symlink('second', join(top, 'first'))
    await symlink(file, join(top, 'second'))
    assert.equal(await integrityFault(join(top, 'first'), { env: {} }), undefined)
    await lchown(join(top, 'second'), STRANGER, STRANGER)
    assert.ok((await integrityFault(join(top, 'first'), { env: {} }))?.includes(join(top, 'second')))
  })

  test('through a directory that others can change is refused', { skip: rootOnly }, async t => {
    const { top, file } = await newTree(t)
    const open = join(top, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    await symlink(file, join(open, 'link'))
    assert.ok((await integrityFault(join(open, 'link'), { env: {} }))?.includes(`directory ${open}`))
  })
})

describe('users who are trusted', { skip: skip || rootOnly }, () => {
  test('are root, for every user', async t => {
    const { top, middle, file } = await newTree(t)
    for (const path of [top, middle]) await chmod(path, 0o755)
    await chmod(file, 0o644)
    process.seteuid?.(STRANGER)
    try {
      assert.equal(await integrityFault(file, { env: {} }), undefined)
    } finally {
      process.seteuid?.(0)
    }
  })

  test('are those who became root by sudo', async t => {
    const { top, middle, file } = await newTree(t)
    for (const path of [top, middle, file]) await chown(path, STRANGER, STRANGER)
    assert.equal(await integrityFault(file, { env: { SUDO_UID: String(STRANGER) } }), undefined)
    assert.notEqual(await integrityFault(file, { env: { SUDO_UID: '1' } }), undefined)
    assert.notEqual(await integrityFault(file, { env: { SUDO_UID: '' } }), undefined)
  })

  test('are the group of a user who is alone in it', async t => {
    const { middle, file } = await newTree(t)
    const env = { SUDO_UID: String(STRANGER) }
    await chown(file, STRANGER, STRANGER)
    await chmod(file, 0o664)
    assert.equal(await integrityFault(file, { env }), undefined)
    await chown(file, STRANGER, STRANGER + 1)
    assert.match((await integrityFault(file, { env })) ?? '', /its group/)
    await chown(file, 0, 0)
    await chmod(file, 0o600)
    await chown(middle, STRANGER, STRANGER)
    await chmod(middle, 0o775)
    assert.equal(await integrityFault(file, { env }), undefined)
  })

  test('are the group that fsGroup sets in a Kubernetes pod, and not others', async t => {
    const { middle, file } = await newTree(t)
    const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    await chmod(middle, 0o2770)
    await chmod(file, 0o660)
    assert.equal(await integrityFault(middle, { env }), undefined)
    await chmod(middle, 0o700)
    assert.equal(await integrityFault(file, { env }), undefined)
    await chmod(file, 0o666)
    assert.match((await integrityFault(file, { env })) ?? '', /others/)
  })

  test('are all owners of a configuration file, whose mode alone counts', async t => {
    const { file } = await newTree(t)
    await chown(file, STRANGER, STRANGER + 1)
    assert.equal(await integrityFault(file, { env: {}, isOwnerFree: true }), undefined)
    await chmod(file, 0o666)
    assert.match((await integrityFault(file, { env: {}, isOwnerFree: true })) ?? '', /others/)
  })
})

describe('a file system without modes, where all files have the mode 777', { skip: skip || rootOnly }, () => {
  async function onType(t: TestContext, type: number): Promise<string> {
    const { file } = await newTree(t)
    await chmod(file, 0o777)
    const before = fs.statfs
    Object.assign(fs, { statfs: async () => ({ type }) })
    syncBuiltinESMExports()
    t.after(() => {
      Object.assign(fs, { statfs: before })
      syncBuiltinESMExports()
    })
    return file
  }

  for (const [name, type] of [
    ['9p, as in WSL', 0x0102_1997],
    ['SMB', 0xfe53_4d42],
    ['FAT', 0x4d44],
  ] as const)
    test(`is accepted for a file that the user names: ${name}`, async t => {
      const file = await onType(t, type)
      assert.equal(await integrityFault(file, { env: {}, isModeFree: true }), undefined)
      assert.match((await integrityFault(file, { env: {} })) ?? '', /others/)
    })

  test('is not one that keeps modes, and not a file with other bits', async t => {
    const ext4 = await onType(t, 0xef53)
    assert.match((await integrityFault(ext4, { env: {}, isModeFree: true })) ?? '', /others/)
    const other = await onType(t, 0x4d44)
    await chmod(other, 0o666)
    assert.match((await integrityFault(other, { env: {}, isModeFree: true })) ?? '', /others/)
  })
})

test('a path with blanks and quotes is one word of the command', { skip: skip || rootOnly }, async t => {
  const path = join(await newDirectory(t), "it's mine")
  await writeFile(path, '')
  await chmod(path, 0o666)
  assert.ok((await integrityFault(path, { env: {} }))?.includes(String.raw`it'\''s mine'`))
})
