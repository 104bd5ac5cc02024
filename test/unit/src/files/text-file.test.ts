/** Text files of any system. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readAllowFile } from '../../../../peer/commands/options/allow-file.ts'
import { readNames } from '../../../../peer/connections/names.ts'
import { examplePeerId } from '../../../../src/config/kinds/address-kinds.ts'
import { readConfigFile } from '../../../../src/config/file.ts'
import { decodeText } from '../../../../src/files/text-file.ts'
import { readTokens } from '../../../../src/protocols/relay-auth.ts'
import type { TestContext } from 'node:test'

const big = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()

/** A text as programs write it. */
const encodings: ReadonlyArray<[name: string, encode: (text: string) => Buffer]> = [
  ['UTF-8', text => Buffer.from(text)],
  ['UTF-8 with a byte order mark', text => Buffer.from(`\uFEFF${text}`)],
  ['UTF-16, little endian', text => Buffer.from(`\uFEFF${text}`, 'utf16le')],
  ['UTF-16, big endian', text => big(`\uFEFF${text}`)],
  ['UTF-16, little endian, without a mark', text => Buffer.from(text, 'utf16le')],
  ['UTF-16, big endian, without a mark', text => big(text)],
]

for (const [name, encode] of encodings) {
  describe(`in ${name}`, () => {
    const fileOf = async (t: TestContext, text: string): Promise<string> => {
      const directory = await mkdtemp(join(tmpdir(), 'throughnat-text-'))
      t.after(() => rm(directory, { recursive: true }))
      const path = join(directory, 'file')
      await writeFile(path, encode(text))
      return path
    }

    test('text is decoded', () => {
      for (const text of ['a', 'key: ü\r\n', '# Grüße\n']) assert.equal(decodeText(encode(text)), text)
    })

    test('a file of names is read', async t => {
      const names = await readNames(await fileOf(t, `# mine\r\nhome ${examplePeerId} # at home\r\n`))
      assert.equal(names.resolve('home', 'TARGET'), examplePeerId)
    })

    test('a file of rules is read', async t => {
      const [rule] = await readAllowFile(await fileOf(t, `# friends\r\nssh=${examplePeerId} # Ada\r\n`))
      assert.equal(String(rule?.peer), examplePeerId)
    })

    test('a configuration is read', async t => {
      const { entries, problems } = await readConfigFile(await fileOf(t, 'port: 4001\r\n'), '/')
      assert.deepEqual(problems, [])
      assert.equal(entries[0]?.items[0]?.text, '4001')
    })

    test('a file of tokens is read', async t => {
      assert.deepEqual(await readTokens(await fileOf(t, '# old\r\nsecret\r\n'), 'token-file'), ['secret'])
    })
  })
}

test('an empty text is empty', () => assert.equal(decodeText(Buffer.alloc(0)), ''))
