/** Targets and tickets in files, on standard input and on the command line, as they come out of mails and editors. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { readDestination } from '../../../../../peer/commands/options/destination.ts'
import { findTarget } from '../../../../../peer/commands/options/target-text.ts'
import { readNames } from '../../../../../peer/connections/names.ts'
import { encodeTicket } from '../../../../../peer/tickets/ticket.ts'
import { createOutput } from '../../../../../src/cli/output/output.ts'
import type { Destination } from '../../../../../peer/commands/options/destination.ts'
import type { TestContext } from 'node:test'

const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const ticket = encodeTicket({
  peerId,
  places: [multiaddr(`/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`)],
  service: 'ssh',
  secret: randomBytes(24).toString('base64url'),
  expiresAt: undefined,
})
const wrapped = (columns: number, end: string, before = ''): string =>
  (ticket.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []).map(line => before + line).join(end)

const texts: ReadonlyArray<[what: string, text: string]> = [
  ['as it is', `${ticket}\n`],
  ['with CRLF', `${ticket}\r\n`],
  ['after empty lines and comments', `# from home\n\n  # and more\n${ticket}\n`],
  ['wrapped at 76 columns', `${wrapped(76, '\n')}\n`],
  ['wrapped at 20 columns with CRLF and blanks', wrapped(20, ' \r\n  ')],
  ['wrapped by an old Mac', wrapped(60, '\r')],
  ['wrapped as quoted-printable', wrapped(75, '=\r\n')],
  ['wrapped and followed by a signature', `${wrapped(72, '\n')}\n-- \nAda\n`],
  ['quoted in a mail', wrapped(72, '\n', '> ')],
  ['quoted twice in a mail', wrapped(72, '\n', '>> ')],
  ['in double quotes', `"${ticket}"\n`],
  ['in single quotes', `'${ticket}'\n`],
  ['in backquotes', `\`${ticket}\``],
  ['in quotes of a word processor', `„${ticket}“`],
  ['in quotes, and wrapped', `"${wrapped(76, '\n')}"\n`],
  ['with a byte order mark and a comment', `\uFEFF# from home\r\n${ticket}\r\n`],
  ['with a space in it', `${ticket.slice(0, 50)} ${ticket.slice(50)}`],
]

async function destination(text: string, stdin: Readable = Readable.from([])): Promise<Destination> {
  const sink = new PassThrough()
  const output = createOutput({ json: false, stdout: sink, stderr: sink })
  const { title } = process
  try {
    return await readDestination(text, { names: await readNames(undefined), stdin, output })
  } finally {
    process.title = title
  }
}

async function fileOf(t: TestContext, content: string | Buffer, name = 'home.ticket'): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-ticket-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

for (const [what, text] of texts)
  describe(`a ticket ${what}`, () => {
    test('is read from a file', async t => {
      assert.equal((await destination(`@${await fileOf(t, text)}`)).target, ticket)
    })

    test('is read from a file in UTF-16', async t => {
      const bytes = Buffer.from(text.startsWith('\uFEFF') ? text : `\uFEFF${text}`, 'utf16le')
      assert.equal((await destination(`@${await fileOf(t, bytes)}`)).target, ticket)
    })

    test('is read from standard input, however that is cut', async () => {
      const bytes = Buffer.from(text)
      for (const size of [1, 7, bytes.length]) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
          bytes.subarray(n * size, (n + 1) * size),
        )
        assert.equal((await destination('-', Readable.from(chunks, { objectMode: false }))).target, ticket)
      }
    })

    test('is read from the command line', {
      skip: text.includes('#') && 'comments are for files',
    }, async () => {
      assert.equal((await destination(text)).target, ticket)
    })
  })

test('standard input need not end after a whole ticket', async () => {
  const stdin = new PassThrough()
  stdin.write(`${ticket}\n`)
  assert.equal((await destination('-', stdin)).target, ticket)
})

test('a terminal need not end after a damaged ticket', async () => {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  stdin.write(`${ticket.slice(0, -2)}\n`)
  await assert.rejects(destination('-', stdin), { name: 'UsageError', message: /damaged/ })
})

test('a ticket that lacks a part is damaged, wrapped or not', async t => {
  for (const text of [ticket.slice(0, -3), wrapped(76, '\n').slice(0, -3), ticket.replace(/.$/, '')])
    await assert.rejects(destination(`@${await fileOf(t, text)}`), { name: 'UsageError', message: /damaged/ })
})

test('a file may have an address or a peer id, and only the first one counts', async t => {
  const addr = `/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`
  assert.equal((await destination(`@${await fileOf(t, `# relay\n${addr}\nother\n`)}`)).target, addr)
  assert.equal((await destination(`@${await fileOf(t, `"${peerId}"\r\n`)}`)).target, String(peerId))
})

test('a file without a target is reported', async t => {
  for (const text of ['', '\n', '# nothing\n', '""\n'])
    await assert.rejects(destination(`@${await fileOf(t, text)}`), {
      name: 'InvalidConfigError',
      message: /it contains no ticket/,
    })
})

test('~/ after @ is the home directory', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-home-'))
  t.after(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'my tickets'))
  await writeFile(join(directory, 'my tickets', 'home.ticket'), ticket)
  const { HOME } = process.env
  t.after(() => Object.assign(process.env, { HOME }))
  process.env['HOME'] = directory
  assert.equal((await destination('@~/my tickets/home.ticket')).target, ticket)
  await assert.rejects(destination('@~/none'), {
    name: 'InvalidConfigError',
    message: /~\/none cannot be read: it does not exist \(ENOENT\)/,
  })
  process.env['HOME'] = ''
  await assert.rejects(destination('@~/home.ticket'), {
    name: 'InvalidConfigError',
    message: /no home directory/,
  })
})

test('a text with many lines is not read without end', () => {
  const text = `tnat1${'1'.repeat(10)}\n${'1\n'.repeat(100_000)}`
  const startedAt = performance.now()
  assert.equal(findTarget(text)?.isComplete, false)
  assert.ok(performance.now() - startedAt < 2_000)
})
