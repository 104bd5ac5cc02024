/** A certificate whose files change while a server shows it. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import tls from 'node:tls'
import { Certificate } from '../../../../relay/node/certificate.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Renewal } from '../../../../relay/node/certificate.ts'

const LIMIT = { timeout: 20_000 }
const TIMING = { intervalMs: 50, settleMs: 100 }

let root = ''
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'throughnat-certificate-'))
  for (const name of ['one', 'two']) {
    await mkdir(join(root, name))
    const out = ['-keyout', join(root, name, 'key.pem'), '-out', join(root, name, 'cert.pem')]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    execFileSync('openssl', ['req', '-x509', ...key, '-days', '1', '-subj', `/CN=${name}`, ...out], {
      stdio: 'ignore',
    })
  }
})
after(async () => rm(root, { recursive: true, force: true }))

/** A server with the certificate `one`, whose files are watched. */
async function serve(t: TestContext) {
  const directory = await mkdtemp(join(root, 'files-'))
  await cp(join(root, 'one'), directory, { recursive: true })
  const files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
  const certificate = new Certificate(files, TIMING)
  await certificate.load()
  const server = https.createServer(certificate.serverOptions).listen(0, '127.0.0.1')
  await once(server, 'listening')
  certificate.serve(server)
  const renewals: Renewal[] = []
  const heard = new EventTarget()
  certificate.watch(renewal => {
    renewals.push(renewal)
    heard.dispatchEvent(new Event('renewal'))
  })
  t.after(() => {
    certificate.unwatch()
    server.close()
  })
  const next = async (): Promise<Renewal | undefined> => {
    await once(heard, 'renewal', { signal: AbortSignal.timeout(10_000) })
    return renewals.at(-1)
  }
  return { directory, files, next, shown: async () => subjectShown(server) }
}

async function subjectShown(server: https.Server): Promise<string> {
  const { port } = server.address() as AddressInfo
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) })
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

describe('a certificate', () => {
  it('is read again when both of its files have changed, and shown without a restart', LIMIT, async t => {
    const { directory, next, shown } = await serve(t)
    assert.equal(await shown(), 'one')
    const renewed = next()
    await cp(join(root, 'two'), directory, { recursive: true })
    assert.equal((await renewed)?.failure, undefined)
    assert.equal(await shown(), 'two')
  })

  it('is read again when a link to it is turned, as Kubernetes does with secrets', LIMIT, async t => {
    const { directory, files, next, shown } = await serve(t)
    for (const file of Object.values(files)) {
      await symlink(file.replace(directory, join(root, 'two')), `${file}.link`)
    }
    const renewed = next()
    for (const file of Object.values(files)) await rename(`${file}.link`, file)
    assert.equal((await renewed)?.failure, undefined)
    assert.equal(await shown(), 'two')
  })

  it(
    'stays the old one while half of the new one is there, and becomes the new one with the rest',
    LIMIT,
    async t => {
      const { directory, next, shown } = await serve(t)
      const failed = next()
      await cp(join(root, 'two', 'cert.pem'), join(directory, 'cert.pem'))
      assert.equal((await failed)?.failure?.name, 'CertificateError')
      assert.equal(await shown(), 'one')
      const renewed = next()
      await cp(join(root, 'two', 'key.pem'), join(directory, 'key.pem'))
      assert.equal((await renewed)?.failure, undefined)
      assert.equal(await shown(), 'two')
    },
  )

  it(
    'stays the old one when its files are removed, and is read again when they come back',
    LIMIT,
    async t => {
      const { directory, files, next, shown } = await serve(t)
      const failed = next()
      await Promise.all(Object.values(files).map(async file => rm(file)))
      assert.equal((await failed)?.failure?.name, 'CertificateError')
      assert.equal(await shown(), 'one')
      const renewed = next()
      await cp(join(root, 'two'), directory, { recursive: true })
      assert.equal((await renewed)?.failure, undefined)
      assert.equal(await shown(), 'two')
    },
  )
})

describe('the files of a certificate', {
  skip: process.platform === 'win32' && 'Windows has no such modes',
}, () => {
  /** The files in a directory of their own. */
  async function place(): Promise<{ directory: string; files: { certFile: string; keyFile: string } }> {
    const directory = await mkdtemp(join(root, 'place-'))
    await cp(join(root, 'one'), directory, { recursive: true })
    return {
      directory,
      files: { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') },
    }
  }

  it('are refused in a directory in which others can replace them', async () => {
    const { directory, files } = await place()
    await chmod(directory, 0o777)
    await assert.rejects(new Certificate(files).load(), {
      name: 'CertificateError',
      message: new RegExp(`chmod go-w ${directory}`),
    })
    await chmod(directory, 0o700)
    await new Certificate(files).load()
  })

  it('are refused behind a link that others can turn', async () => {
    const { files } = await place()
    const open = await mkdtemp(join(root, 'open-'))
    const links = { certFile: join(open, 'cert.pem'), keyFile: join(open, 'key.pem') }
    await symlink(files.certFile, links.certFile)
    await symlink(files.keyFile, links.keyFile)
    await new Certificate(links).load()
    await chmod(open, 0o777)
    await assert.rejects(new Certificate(links).load(), { name: 'CertificateError', message: /can replace/ })
  })

  it('that others can change do not take the place of those in use', LIMIT, async t => {
    const { directory, files, next, shown } = await serve(t)
    const failed = next()
    await chmod(files.keyFile, 0o666)
    assert.match((await failed)?.failure?.message ?? '', /key\.pem can be changed by others/)
    assert.equal(await shown(), 'one')
    const renewed = next()
    // with the mode of their own
    await cp(join(root, 'two'), directory, { recursive: true })
    assert.equal((await renewed)?.failure, undefined)
    assert.equal(await shown(), 'two')
  })
})
