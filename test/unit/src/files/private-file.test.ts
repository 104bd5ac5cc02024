/** Files that only their user can read, also on file systems without hard links or modes. */

import assert from 'node:assert/strict'
import fs from 'node:fs/promises'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generatedTokenFile } from '../../../../relay/admission/generated-token.ts'
import { IDENTITY_FILE, loadIdentity } from '../../../../src/files/identity.ts'
import { createPrivateFile, privacyFault, readWhole } from '../../../../src/files/private-file.ts'
import type { TestContext } from 'node:test'

const modeless = process.platform === 'win32' && 'Windows has no such modes'

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-private-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const failing = (code: string) => async (): Promise<never> => {
  throw Object.assign(new Error(`${code}: injected`), { code })
}

/** Replaces functions of `node:fs/promises` for this test. */
function inject(t: TestContext, replaced: Partial<typeof fs>): void {
  const before = { ...fs }
  Object.assign(fs, replaced)
  syncBuiltinESMExports()
  t.after(() => {
    Object.assign(fs, before)
    syncBuiltinESMExports()
  })
}

for (const code of ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EINVAL', 'EXDEV'])
  describe(`where link(2) fails with ${code}`, () => {
    test('an identity is created once and then the same, and nothing else is left', async t => {
      inject(t, { link: failing(code) })
      const dataDir = join(await newDirectory(t), 'data')
      const first = await loadIdentity(dataDir)
      assert.ok((await loadIdentity(dataDir)).equals(first))
      assert.deepEqual(await readdir(dataDir), [IDENTITY_FILE])
      assert.equal((await stat(join(dataDir, IDENTITY_FILE))).mode & 0o777, 0o600)
    })
  })

describe('where there are no hard links', () => {
  test('an identity that is created by many at the same time is one and the same', async t => {
    inject(t, { link: failing('EPERM') })
    const dataDir = await newDirectory(t)
    const keys = await Promise.all(Array.from({ length: 10 }, async () => loadIdentity(dataDir)))
    assert.ok(keys.every(key => key.equals(keys[0]!)))
    assert.deepEqual(await readdir(dataDir), [IDENTITY_FILE])
  })

  test('a file that exists is not overwritten', async t => {
    inject(t, { link: failing('EOPNOTSUPP') })
    const path = join(await newDirectory(t), 'file')
    await writeFile(path, 'first')
    assert.equal(await createPrivateFile(path, 'second'), false)
    assert.equal(await readFile(path, 'utf8'), 'first')
  })

  test('a failing rename leaves nothing behind', async t => {
    inject(t, { link: failing('EPERM'), rename: failing('ENOSPC') })
    const directory = await newDirectory(t)
    await assert.rejects(createPrivateFile(join(directory, 'file'), 'content'), { code: 'ENOSPC' })
    assert.deepEqual(await readdir(directory), [])
  })

  test('a relay has its token', async t => {
    inject(t, { link: failing('EPERM') })
    const directory = await newDirectory(t)
    const paths = await Promise.all([generatedTokenFile(directory), generatedTokenFile(directory)])
    assert.equal((await readFile(paths[0], 'utf8')).trim().length, 43)
    assert.deepEqual(await readdir(directory), ['relay.token'])
  })

  test('a file that another process is about to replace is waited for', async t => {
    const path = join(await newDirectory(t), 'file')
    await writeFile(path, '')
    const reading = readWhole(path)
    await writeFile(`${path}.draft`, 'content')
    await fs.rename(`${path}.draft`, path)
    assert.equal(String(await reading), 'content')
  })

  test('a file that stays empty is returned as that', async t => {
    const path = join(await newDirectory(t), 'file')
    await writeFile(path, '')
    assert.equal((await readWhole(path)).length, 0)
  })
})

test('another failure of link(2) is reported, and nothing is left behind', async t => {
  inject(t, { link: failing('EIO') })
  const dataDir = await newDirectory(t)
  await assert.rejects(loadIdentity(dataDir), {
    name: 'IdentityError',
    message: /as identity: the device fails \(EIO\)\.$/,
  })
  assert.deepEqual(await readdir(dataDir), [])
})

describe('where a file system keeps no modes', { skip: modeless }, () => {
  for (const [what, fake] of [
    ['shows all files to all users', async () => {}],
    ['refuses to change them', failing('EPERM')],
  ] as const)
    test(`and ${what}, an identity is refused before it is created`, async t => {
      const directory = await newDirectory(t)
      inject(t, {
        chmod: fake as typeof chmod,
        stat: (async (path: string) => {
          const real = await realStat(path)
          return Object.assign(real, { mode: real.mode | 0o055 })
        }) as typeof stat,
      })
      await assert.rejects(loadIdentity(directory), {
        name: 'IdentityError',
        message:
          /does not keep the mode 600 .* \(mode 655\); use a directory on another file system, or mount this one with umask=077/,
      })
      assert.deepEqual(await readdir(directory), [])
    })

  test('but hides all files from others, an identity is created', async t => {
    inject(t, { chmod: failing('EPERM') as typeof chmod })
    const dataDir = await newDirectory(t)
    assert.ok((await loadIdentity(dataDir)).equals(await loadIdentity(dataDir)))
  })
})

const realStat = fs.stat

describe('bits of the group', { skip: modeless }, () => {
  const withStat = (t: TestContext, fields: object): void =>
    inject(t, {
      stat: (async (path: string) => Object.assign(await realStat(path), fields)) as typeof stat,
    })

  test('are private in a Kubernetes pod, where fsGroup sets them', async t => {
    const path = join(await newDirectory(t), 'key')
    await writeFile(path, 'x', { mode: 0o600 })
    await chmod(path, 0o660)
    const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
    assert.equal(await privacyFault(path, pod), undefined)
    assert.equal(await privacyFault(path, {}), 'its group (mode 660)')
    await chmod(path, 0o664)
    assert.equal(await privacyFault(path, pod), 'others (mode 664)')
  })

  for (const [own, owner, mode, fault] of [
    [1000, 0, 0o640, undefined],
    [1000, 0, 0o660, undefined],
    [1000, 0, 0o644, 'others (mode 644)'],
    [1000, 1000, 0o640, 'its group (mode 640)'],
    [1000, 1001, 0o640, 'its group (mode 640)'],
    [0, 0, 0o640, 'its group (mode 640)'],
  ] as const)
    test(`of a file of user ${owner} with mode ${mode.toString(8)}, for user ${own}: ${fault ?? 'private'}`, async t => {
      const path = join(await newDirectory(t), 'key')
      await writeFile(path, 'x')
      withStat(t, { uid: owner, mode: 0o100_000 | mode })
      const { getuid } = process
      t.after(() => Object.assign(process, { getuid }))
      process.getuid = () => own
      assert.equal(await privacyFault(path, {}), fault)
    })
})
