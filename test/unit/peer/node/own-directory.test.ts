/** The data directory is refused if another user can change it, and its databases are closed to others in any case. */

import assert from 'node:assert/strict'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Database } from '../../../../peer/node/database.ts'
import { openStorage } from '../../../../peer/node/storage.ts'
import { openTickets } from '../../../../peer/tickets/database.ts'
import { generatedTokenFile } from '../../../../relay/admission/generated-token.ts'
import { exitCodeOf, exitCodes } from '../../../../src/cli/exit-codes.ts'
import { loadIdentity } from '../../../../src/files/identity.ts'
import type { TestContext } from 'node:test'

const skip =
  process.platform === 'win32'
    ? 'Windows has no such modes'
    : process.geteuid?.() !== 0 && 'only root can give files away'
const STRANGER = 54_321

async function newDirectory(t: TestContext, mode = 0o700): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'throughnat-own-'))
  t.after(() => rm(parent, { recursive: true, force: true }))
  const dataDir = join(parent, 'data')
  await mkdir(dataDir)
  await chmod(dataDir, mode)
  return dataDir
}

/** What opens a data directory, and the error that each has for one that cannot be used. */
const openers = [
  ['a node', 'DataDirError', async (dataDir: string) => (await openStorage(dataDir)).close()],
  ['the tickets', 'DataDirError', async (dataDir: string) => (await openTickets(dataDir)).close()],
  ['an identity', 'IdentityError', async (dataDir: string) => loadIdentity(dataDir)],
  ['the token of a relay', 'InvalidConfigError', async (dataDir: string) => generatedTokenFile(dataDir)],
] as const

for (const [what, name, open] of openers)
  describe(`a data directory for ${what}`, { skip }, () => {
    for (const mode of [0o777, 0o770, 0o722, 0o1777])
      test(`is refused with the mode ${mode.toString(8)}, with the command that mends it`, async t => {
        const dataDir = await newDirectory(t, mode)
        await assert.rejects(open(dataDir), (error: Error) => {
          assert.equal(error.name, name)
          assert.ok(error.message.includes(`run: chmod 700 ${dataDir}`), error.message)
          assert.equal(exitCodeOf(error), exitCodes.configuration)
          return true
        })
        assert.deepEqual(await readdir(dataDir), [], 'nothing is written')
        await chmod(dataDir, 0o700)
        await open(dataDir)
      })

    test('is refused if it belongs to another user, with the command that mends it', async t => {
      const dataDir = await newDirectory(t)
      await chown(dataDir, STRANGER, STRANGER)
      await assert.rejects(open(dataDir), (error: Error) => {
        assert.equal(error.name, name)
        assert.ok(error.message.includes(`run: chown 0 ${dataDir}`), error.message)
        return true
      })
      await chown(dataDir, 0, 0)
      await open(dataDir)
    })

    test('is refused in a directory that others can change, and through a link there', async t => {
      const dataDir = await newDirectory(t)
      const open777 = join(dataDir, 'open')
      await mkdir(open777)
      await chmod(open777, 0o777)
      await symlink(dataDir, join(open777, 'link'))
      for (const path of [join(open777, 'new'), join(open777, 'link')])
        await assert.rejects(open(path), { name, message: /who can replace .*; use another place/ })
    })

    test('is used with the mode 755', async t => {
      await open(await newDirectory(t, 0o755))
    })

    test('is used with the bits that fsGroup sets in a Kubernetes pod', async t => {
      const { KUBERNETES_SERVICE_HOST: before } = process.env
      t.after(() => {
        if (before === undefined) delete process.env['KUBERNETES_SERVICE_HOST']
        else process.env['KUBERNETES_SERVICE_HOST'] = before
      })
      process.env['KUBERNETES_SERVICE_HOST'] = '10.96.0.1'
      const dataDir = await newDirectory(t, 0o2775)
      await open(dataDir)
      await open(dataDir)
    })
  })

describe('an identity', { skip }, () => {
  test('of another user is refused, though its mode is 600', async t => {
    const dataDir = await newDirectory(t)
    await loadIdentity(dataDir)
    const path = join(dataDir, 'identity.key')
    await chown(path, STRANGER, STRANGER)
    await assert.rejects(loadIdentity(dataDir), {
      name: 'IdentityError',
      message: new RegExp(`belongs to the user with the id ${STRANGER}.*run: chown 0 ${path}`),
    })
  })
})

describe('the databases in a data directory that others can read', { skip }, () => {
  const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

  for (const name of ['peers', 'tickets', 'other'])
    test(`are closed to them: ${name}, new`, async t => {
      const umask = process.umask(0)
      t.after(() => process.umask(umask))
      const dataDir = await newDirectory(t, 0o755)
      const database = await Database.open(dataDir, name, 'json')
      await database.close()
      assert.equal(await modeOf(join(dataDir, name)), '700')
      assert.equal(await modeOf(dataDir), '755', 'it stays as its user has made it')
    })

  for (const mode of [0o755, 0o777, 0o770])
    test(`are closed to them, if an earlier version has made them with ${mode.toString(8)}`, async t => {
      const dataDir = await newDirectory(t, 0o755)
      const path = join(dataDir, 'tickets')
      await mkdir(path)
      await chmod(path, mode)
      await (await openTickets(dataDir)).close()
      assert.equal(await modeOf(path), '700')
    })
})
