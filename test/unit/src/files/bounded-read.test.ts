/** Files that have no end, or are larger than any that makes sense, wherever one can be named. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readWithin } from '../../../../src/files/bounded-read.ts'
import { loadIdentity } from '../../../../src/files/identity.ts'
import { readLineFile } from '../../../../src/files/line-file.ts'
import { readNames } from '../../../../peer/connections/names.ts'
import { readDestination } from '../../../../peer/commands/options/destination.ts'
import { Certificate } from '../../../../relay/node/certificate.ts'
import type { TestContext } from 'node:test'

const ENDLESS = '/dev/zero'
const skip = process.platform === 'win32' && 'there is no /dev/zero'
const TOO_LARGE = /the file is too large; \d+ KiB are the most/

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

describe('a file', () => {
  it('is read whole up to its bound, and not beyond', async t => {
    const path = join(await folder(t), 'file')
    for (const size of [0, 1, 65_536, 102_400]) {
      await writeFile(path, Buffer.alloc(size, 'x'))
      assert.equal((await readWithin(path, 102_400)).length, size)
    }
    await truncate(path, 102_401)
    await assert.rejects(readWithin(path, 102_400), TOO_LARGE)
  })
})

describe('a file without an end is refused', { skip, timeout: 20_000 }, () => {
  it('as a file of lines', async () => {
    await assert.rejects(
      readLineFile(ENDLESS, 'allow-file', line => line),
      TOO_LARGE,
    )
  })
  it('as names', async () => {
    await assert.rejects(readNames(ENDLESS), TOO_LARGE)
  })
  it('as a ticket', async () => {
    const context = { names: await readNames(undefined), stdin: process.stdin, output: { note: () => {} } }
    await assert.rejects(readDestination(`@${ENDLESS}`, context as never), {
      name: 'InvalidConfigError',
      message: TOO_LARGE,
    })
  })
  it('as a certificate', async () => {
    await assert.rejects(new Certificate({ certFile: ENDLESS, keyFile: ENDLESS }).load(), {
      name: 'CertificateError',
      message: TOO_LARGE,
    })
  })
  it('as an identity', async t => {
    const dataDir = await folder(t)
    await writeFile(join(dataDir, 'identity.key'), Buffer.alloc(1024 * 1024), { mode: 0o600 })
    await assert.rejects(loadIdentity(dataDir), { name: 'IdentityError', message: TOO_LARGE })
  })
  it('as a link to one, too', async t => {
    const path = join(await folder(t), 'names')
    await symlink(ENDLESS, path)
    await assert.rejects(readNames(path), TOO_LARGE)
  })
})
