/** Files with one entry per line. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readAllowFile } from '../../../../peer/commands/options/allow-file.ts'
import { readNames } from '../../../../peer/connections/names.ts'
import { RelayList } from '../../../../peer/relays/relay-list.ts'
import { examplePeerId, relayAddrKind } from '../../../../src/config/kinds/address-kinds.ts'
import { readLineFile } from '../../../../src/files/line-file.ts'
import { decodeText } from '../../../../src/files/text-file.ts'
import { readTokens } from '../../../../src/protocols/relay-auth.ts'
import type { TestContext } from 'node:test'

const RELAY = relayAddrKind.example

async function fileOf(t: TestContext, content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-lines-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'file')
  await writeFile(path, content)
  return path
}

const linesOf = async (t: TestContext, content: string | Uint8Array): Promise<string[]> =>
  readLineFile(await fileOf(t, content), 'file', line => line)

const contents: ReadonlyArray<[name: string, content: string | Uint8Array, lines: string[]]> = [
  ['an empty file has no lines', '', []],
  ['blank lines are skipped', '\n  \na\n\t\n\nb', ['a', 'b']],
  ['white space around a line is removed', '  a b\t\n', ['a b']],
  ['a # at the start of a line begins a comment', '#a\n# b\n#\nc', ['c']],
  ['a # after white space begins a comment', 'a # b\n  # c\nd\t#e # f', ['a', 'd']],
  ['a # within a word begins no comment', 'a#b\nc #d#e\nf#', ['a#b', 'c', 'f#']],
  ['the lines of Windows are read', 'a\r\n# b\r\n\r\nc # d\r\n', ['a', 'c']],
  ['the lines of old Macs are read', 'a\r# b\rc', ['a', 'c']],
  ['a byte order mark is no part of the first line', '\uFEFFa\nb', ['a', 'b']],
  ['a comment may follow a byte order mark', '\uFEFF# a\nb', ['b']],
  ['UTF-16 with a byte order mark is read', Buffer.from('\uFEFF# a\r\nü\r\n', 'utf16le'), ['ü']],
  ['UTF-16 without one is read', Buffer.from('a # b\nc', 'utf16le'), ['a', 'c']],
  ['big-endian UTF-16 is read', Buffer.from('\uFEFFa\nb', 'utf16le').swap16(), ['a', 'b']],
  [
    'bytes of no encoding are replaced, and the other lines stay',
    Buffer.from('a\nb\xff\nc', 'latin1'),
    ['a', 'b\uFFFD', 'c'],
  ],
]

describe('in a file of lines', () => {
  for (const [name, content, lines] of contents)
    test(name, async t => assert.deepEqual(await linesOf(t, content), lines))

  test('bytes of no encoding are an error only for a reader that wants one', () => {
    const bytes = Buffer.from('b\xff', 'latin1')
    assert.equal(decodeText(bytes), 'b\uFFFD')
    assert.throws(() => decodeText(bytes, { fatal: true }), TypeError)
  })

  test('all wrong lines are reported with their numbers', async t => {
    const path = await fileOf(t, '# 1\nwrong\nright\r\n\nwrong # 5\n')
    const read = readLineFile(path, 'file', (line, where) => {
      if (line === 'wrong') throw new Error(`not ${where}`)
    })
    await assert.rejects(read, {
      name: 'InvalidConfigError',
      problems: [2, 5].map(line => ({ where: `${path}:${line}`, what: `not ${path}:${line}` })),
    })
  })

  test('that cannot be read the option is named', async () => {
    await assert.rejects(readLineFile('/nowhere/file', 'allow-file', String), {
      name: 'InvalidConfigError',
      message: 'allow-file: /nowhere/file cannot be read (ENOENT)',
    })
  })
})

describe('a comment after an entry is passed over', () => {
  test('in a file of rules', async t => {
    const [rule, ...rest] = await readAllowFile(await fileOf(t, `\uFEFF# a\r\nssh=${examplePeerId} # b\r\n`))
    assert.equal(String(rule?.peer), examplePeerId)
    assert.deepEqual(rest, [])
  })

  test('in a file of names', async t => {
    const names = await readNames(await fileOf(t, `\uFEFF# a\r\nhome ${examplePeerId} # b\r\n`))
    assert.equal(names.resolve('home', 'TARGET'), examplePeerId)
  })

  test('in a file of tokens', async t => {
    const path = await fileOf(t, '\uFEFF# a\r\none # b\r\ntwo#c\r\n')
    assert.deepEqual(await readTokens(path, 'token-file'), ['one', 'two#c'])
  })

  test('in a file of relays', async t => {
    const list = new RelayList([], await fileOf(t, `\uFEFF# a\r\n${RELAY} # b\r\n`))
    t.after(() => list.stop())
    await list.start()
    assert.deepEqual(
      list.relays.map(it => it.addrs.map(String)),
      [[RELAY]],
    )
  })
})
