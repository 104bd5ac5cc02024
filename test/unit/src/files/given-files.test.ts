/** The files that a user names: each is refused if another user can change it, and one with a secret is warned of if others can read it. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  chmod,
  chown,
  lstat,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { readAllowFile } from '../../../../peer/commands/options/allow-file.ts'
import { readDestination } from '../../../../peer/commands/options/destination.ts'
import { withRelayToken } from '../../../../peer/commands/running/dial.ts'
import { readNames } from '../../../../peer/connections/names.ts'
import { RelayList } from '../../../../peer/relays/relay-list.ts'
import { encodeTicket } from '../../../../peer/tickets/ticket.ts'
import { Certificate } from '../../../../relay/node/certificate.ts'
import { createOutput } from '../../../../src/cli/output/output.ts'
import { readConfigFile } from '../../../../src/config/file.ts'
import { outputWarning, replacePrivateFile } from '../../../../src/files/private-file.ts'
import { readTokens } from '../../../../src/protocols/relay-auth.ts'
import { certificateFiles } from '../../../network/certificates.ts'
import type { TestContext } from 'node:test'

const skip =
  process.platform === 'win32'
    ? 'Windows has no such modes'
    : process.geteuid?.() !== 0 && 'only root can give files away'
const STRANGER = 54_321

const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const relay = `/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`
const ticket = encodeTicket({
  peerId,
  places: [multiaddr(relay)],
  service: 'ssh',
  secret: randomBytes(24).toString('base64url'),
  expiresAt: undefined,
})
const token = randomBytes(32).toString('hex')
const pair = certificateFiles({ after })

async function newFile(t: TestContext, text: string, mode = 0o600): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-given-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'file')
  await writeFile(path, text)
  await chmod(path, mode)
  return path
}

async function readTicket(path: string, warn: (text: string) => void): Promise<void> {
  const stderr = new PassThrough()
  const output = createOutput({ json: true, stdout: new PassThrough(), stderr })
  await readDestination(`@${path}`, { names: await readNames(undefined), stdin: Readable.from([]), output })
  await output.flush()
  const text = String(stderr.read() ?? '')
  if (text !== '') warn(text)
}

async function readRelays(path: string): Promise<void> {
  const list = new RelayList([], path)
  try {
    await list.start()
  } finally {
    list.stop()
  }
}

async function readConfig(path: string): Promise<void> {
  const { problems } = await readConfigFile(path, '/')
  if (problems.length > 0) throw Object.assign(new Error(problems[0]?.what), { name: 'InvalidConfigError' })
}

async function readCertificate(certFile: string): Promise<void> {
  await new Certificate({ certFile, keyFile: pair.tlsKey }).load()
}

async function readKey(keyFile: string): Promise<void> {
  await new Certificate({ certFile: pair.tlsCert, keyFile }).load()
}

interface GivenFile {
  what: string
  text: string
  read: (path: string, warn: (text: string) => void) => Promise<unknown>
  isSecret: boolean
  /** @default 'InvalidConfigError' */
  error?: string
}

const files: readonly GivenFile[] = [
  { what: 'a ticket', text: ticket, read: readTicket, isSecret: true },
  { what: 'a target', text: relay, read: readTicket, isSecret: false },
  { what: 'tokens', text: token, read: (path, warn) => readTokens(path, 'o', { warn }), isSecret: true },
  { what: 'the token of a peer', text: token, read: withRelayToken, isSecret: true },
  { what: 'names with tickets', text: `home ${ticket}`, read: readNames, isSecret: true },
  { what: 'names', text: `home ${peerId}`, read: readNames, isSecret: false },
  { what: 'allow rules', text: `web=${peerId}`, read: readAllowFile, isSecret: false },
  { what: 'relays', text: relay, read: readRelays, isSecret: false },
  {
    what: 'a certificate',
    text: readFileSync(pair.tlsCert, 'utf8'),
    read: readCertificate,
    isSecret: false,
    error: 'CertificateError',
  },
  {
    what: "a certificate's key",
    text: readFileSync(pair.tlsKey, 'utf8'),
    read: readKey,
    isSecret: false,
    error: 'CertificateError',
  },
]

for (const { what, text, read, isSecret, error: name = 'InvalidConfigError' } of files)
  describe(`a file of ${what}`, { skip }, () => {
    for (const mode of [0o602, 0o666, 0o660])
      test(`is refused with the mode ${mode.toString(8)}, with the command that mends it`, async t => {
        const path = await newFile(t, text, mode)
        await assert.rejects(
          read(path, () => {}),
          { name, message: new RegExp(`run: chmod 600 ${path}`) },
        )
      })

    test('is refused if it belongs to another user', async t => {
      const path = await newFile(t, text)
      await chown(path, STRANGER, STRANGER)
      await assert.rejects(
        read(path, () => {}),
        { name, message: new RegExp(`run: chown 0 ${path}`) },
      )
    })

    for (const mode of [0o600, 0o644, 0o604, 0o640])
      test(`is read with the mode ${mode.toString(8)}${isSecret && mode !== 0o600 ? ', with a warning' : ''}`, async t => {
        const path = await newFile(t, text, mode)
        const warnings: string[] = []
        await read(path, warning => warnings.push(warning))
        assert.equal(warnings.length, isSecret && mode !== 0o600 ? 1 : 0)
        for (const warning of warnings)
          assert.ok(warning.includes(`(mode ${mode.toString(8)}); run: chmod 600 ${path}`), warning)
      })
  })

describe('a configuration file', { skip }, () => {
  test('is refused if others can change it', async t => {
    await assert.rejects(readConfig(await newFile(t, 'port: 1', 0o606)), /run: chmod 600/)
    await assert.rejects(readConfig(await newFile(t, 'port: 1', 0o660)), /run: chmod 600/)
  })

  test('may belong to another user, as one of the host does in a container', async t => {
    const path = await newFile(t, 'port: 1', 0o644)
    await chown(path, STRANGER, STRANGER)
    await readConfig(path)
  })
})

test('a ticket from a descriptor or a pipe needs no mode', { skip }, async t => {
  const path = await newFile(t, ticket, 0o666)
  await using file = await open(path)
  await readTicket(`/dev/fd/${file.fd}`, text => assert.fail(text))
})

describe('a private file that is written anew', { skip }, () => {
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

  for (const mode of [0o666, 0o644, 0o400])
    test(`has the mode 600, also over one with ${mode.toString(8)}`, async t => {
      const path = await newFile(t, 'old', mode)
      await replacePrivateFile(path, 'new')
      assert.equal(await readFile(path, 'utf8'), 'new')
      assert.equal(await modeOf(path), 0o600)
      assert.deepEqual(await readdir(join(path, '..')), ['file'])
    })

  test('is a new one for those who have the old one open', async t => {
    const path = await newFile(t, 'old', 0o644)
    await using reader = await open(path)
    await replacePrivateFile(path, 'new')
    assert.equal(await reader.readFile('utf8'), 'old')
  })

  test('takes the place of a link, and leaves its target', async t => {
    const target = await newFile(t, 'target')
    const link = join(target, '..', 'link')
    await symlink(target, link)
    await replacePrivateFile(link, 'new')
    assert.equal(await readFile(target, 'utf8'), 'target')
    assert.ok((await lstat(link)).isFile())
  })

  test('does not take the place of a directory or a device', async t => {
    const path = await newFile(t, 'x')
    for (const other of [join(path, '..'), '/dev/null'])
      await assert.rejects(replacePrivateFile(other, 'new'), /is there and is no file/)
  })

  test('is whole or not there', async t => {
    const path = await newFile(t, 'x')
    await assert.rejects(replacePrivateFile(join(path, 'in a file'), 'new'), { code: 'ENOTDIR' })
    assert.deepEqual(await readdir(join(path, '..')), ['file'])
  })
})

describe('stdout', { skip }, () => {
  for (const [mode, who] of [
    [0o644, 'others'],
    [0o604, 'others'],
    [0o640, 'its group'],
  ] as const)
    test(`that is a file with the mode ${mode.toString(8)} is warned of`, async t => {
      const path = await newFile(t, '', mode)
      await using file = await open(path, 'w')
      const warning = outputWarning(file.fd, 'use --output FILE')
      const place = process.platform === 'linux' ? path : 'FILE'
      const text = `warning: the file of this output can be read by ${who} (mode ${mode.toString(8)}); use --output FILE, or run: chmod 600 ${place}`
      assert.equal(warning, text)
    })

  test('that is private is not', async t => {
    await using file = await open(await newFile(t, ''), 'w')
    assert.equal(outputWarning(file.fd, ''), undefined)
  })

  test('that is a pipe, a device or closed is not', async () => {
    const { url } = { url: new URL('../../../../src/files/private-file.ts', import.meta.url).href }
    const script = `const { outputWarning } = await import(${JSON.stringify(url)}); process.stdout.write(String(outputWarning(1, '')))`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      timeout: 30_000,
    })
    assert.equal(String(stdout), 'undefined')
    await using device = await open('/dev/null', 'w')
    assert.equal(outputWarning(device.fd, ''), undefined)
    assert.equal(outputWarning(99_999, ''), undefined)
  })
})
