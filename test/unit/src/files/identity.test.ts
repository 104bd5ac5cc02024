/** The key in the data directory. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { IDENTITY_FILE, ephemeralIdentity, loadIdentity } from '../../../../src/files/identity.ts'
import type { TestContext } from 'node:test'

const modeless = process.platform === 'win32' && 'Windows has no such modes'

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-identity-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

describe('an identity', () => {
  test('is created once and then the same', async t => {
    const dataDir = join(await newDirectory(t), 'a', 'b')
    const first = await loadIdentity(dataDir)
    const second = await loadIdentity(dataDir)
    assert.ok(first.equals(second))
    assert.equal(first.type, 'Ed25519')
    assert.deepEqual(await readdir(dataDir), [IDENTITY_FILE])
  })

  test('is readable by its owner alone, and so is a directory that is created', {
    skip: modeless,
  }, async t => {
    const dataDir = join(await newDirectory(t), 'data')
    const umask = process.umask(0)
    t.after(() => process.umask(umask))
    await loadIdentity(dataDir)
    assert.equal(await modeOf(dataDir), '700')
    assert.equal(await modeOf(join(dataDir, IDENTITY_FILE)), '600')
  })

  for (const mode of [0o640, 0o604, 0o660, 0o620]) {
    test(`that others can use (${mode.toString(8)}) is refused and left as it is`, {
      skip: modeless,
    }, async t => {
      const dataDir = await newDirectory(t)
      await loadIdentity(dataDir)
      const path = join(dataDir, IDENTITY_FILE)
      await chmod(path, mode)
      await assert.rejects(loadIdentity(dataDir), error => {
        const { name, message, path: named } = error as Error & { path: string }
        assert.deepEqual([name, named], ['IdentityError', path])
        assert.match(message, new RegExp(`mode ${mode.toString(8)}`))
        assert.match(message, /chmod 600/)
        return true
      })
      assert.equal(await modeOf(path), mode.toString(8))
    })
  }

  for (const [what, content] of [
    ['empty', ''],
    ['text', 'not a key'],
    ['cut short', '\u0008\u0001\u0012\u0040abc'],
  ] as const) {
    test(`whose file is ${what} is refused and left as it is`, async t => {
      const dataDir = await newDirectory(t)
      const path = join(dataDir, IDENTITY_FILE)
      await writeFile(path, content, { mode: 0o600 })
      await assert.rejects(loadIdentity(dataDir), {
        name: 'IdentityError',
        path,
        message: /Restore or remove/,
      })
      assert.equal(await readFile(path, 'utf8'), content)
    })
  }

  for (const type of ['secp256k1', 'RSA'] as const)
    test(`can be a key of the type ${type}`, async t => {
      const dataDir = await newDirectory(t)
      const key = await (type === 'RSA' ? generateKeyPair(type, 2048) : generateKeyPair(type))
      await writeFile(join(dataDir, IDENTITY_FILE), privateKeyToProtobuf(key), { mode: 0o600 })
      const loaded = await loadIdentity(dataDir)
      assert.equal(peerIdFromPrivateKey(loaded).toString(), peerIdFromPrivateKey(key).toString())
    })

  for (const curve of ['P-256', 'P-384', 'P-521'] as const)
    test(`that is an ECDSA key (${curve}) is refused, with the types that can be used`, async t => {
      const dataDir = await newDirectory(t)
      const path = join(dataDir, IDENTITY_FILE)
      await writeFile(path, privateKeyToProtobuf(await generateKeyPair('ECDSA', curve)), { mode: 0o600 })
      const message = /is a key of the type ECDSA.* Use an Ed25519/
      await assert.rejects(loadIdentity(dataDir), { name: 'IdentityError', path, message })
    })

  test('that is created by many at once is one and the same', async t => {
    const dataDir = join(await newDirectory(t), 'data')
    const keys = await Promise.all(Array.from({ length: 10 }, async () => loadIdentity(dataDir)))
    const [first] = keys
    assert.ok(first !== undefined && keys.every(key => key.equals(first)))
    assert.ok((await loadIdentity(dataDir)).equals(first))
    assert.deepEqual(await readdir(dataDir), [IDENTITY_FILE])
  })

  test('in a place that is no directory is refused, and the place is named', async t => {
    const dataDir = join(await newDirectory(t), 'file')
    await writeFile(dataDir, '')
    const path = join(dataDir, IDENTITY_FILE)
    await assert.rejects(loadIdentity(dataDir), { name: 'IdentityError', path, message: /ENOTDIR/ })
  })

  test('whose file is a directory is refused', async t => {
    const dataDir = await newDirectory(t)
    await mkdir(join(dataDir, IDENTITY_FILE), { mode: 0o700 })
    await assert.rejects(loadIdentity(dataDir), { name: 'IdentityError', message: /EISDIR/ })
  })

  const notRoot = process.getuid?.() === 0 ? asNobody : asMyself
  test('in a directory that cannot be read is refused', { skip: modeless }, async t => {
    const directory = await newDirectory(t)
    await chmod(directory, 0o755)
    const dataDir = join(directory, 'data')
    await mkdir(dataDir)
    await chmod(dataDir, 0o000)
    assert.match(
      await notRoot(dataDir),
      /^IdentityError: Cannot use .*identity\.key as identity: .* \(EACCES\)/,
    )
    await chmod(dataDir, 0o700)
  })

  test('that is ephemeral is another each time', async () => {
    const [one, two] = [await ephemeralIdentity(), await ephemeralIdentity()]
    assert.equal(one.equals(two), false)
  })
})

async function asMyself(dataDir: string): Promise<string> {
  return loadIdentity(dataDir).then(() => 'read it', String)
}

/** Root may read everything, so a child of root gives that up; the modules are loaded first. */
async function asNobody(dataDir: string): Promise<string> {
  const script = `
    const { loadIdentity } = await import(process.argv[1])
    process.setgid(65534)
    process.setuid(65534)
    console.log(await loadIdentity(process.argv[2]).then(() => 'read it', String))`
  const module = new URL('../../../../src/files/identity.ts', import.meta.url).href
  const args = ['--input-type=module', '--eval', script, module, dataDir]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 })
  return stdout
}
