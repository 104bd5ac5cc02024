/** Tokens that are easy to guess are refused, with a command that makes a better one. */

import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { admissionRulesOf } from '../../../../relay/admission/options.ts'
import { weaknessOf } from '../../../../relay/admission/token-strength.ts'
import type { TestContext } from 'node:test'

describe('a token', () => {
  for (const token of [
    'sesame',
    'a',
    'correct-horse-b',
    'password'.repeat(2),
    'sesame'.repeat(40),
    'a'.repeat(256),
    '1234567890123456',
    'abcdefghijklmnopqrstuvwxyz',
    'zyxwvutsrqponmlkjihg',
    '0'.repeat(64),
    '01'.repeat(32),
    '0110100110010110',
    '2026112820261128',
    '7391840265518203',
    'öäü',
    '😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀',
  ])
    it(`is refused if it is ${token.slice(0, 30)} (${token.length})`, () => {
      const weakness = weaknessOf(token)
      assert.match(weakness ?? '', /too easy to guess .* make one with: openssl rand -hex 32$/)
      if (token.length > 5) assert.ok(!weakness?.includes(token), 'the token is not shown')
    })

  for (const [how, make] of [
    ['openssl rand -hex 32', () => randomBytes(32).toString('hex')],
    ['openssl rand -hex 16', () => randomBytes(16).toString('hex')],
    ['openssl rand -base64 32', () => randomBytes(32).toString('base64')],
    ['openssl rand -base64 12', () => randomBytes(12).toString('base64')],
    ['throughnat-relay --profile private', () => randomBytes(32).toString('base64url')],
    ['uuidgen', () => randomUUID()],
    ['a person with four words', () => 'correct horse battery staple'],
  ] as const)
    it(`is accepted if ${how} has made it`, () => {
      for (let time = 0; time < 200; time++) assert.equal(weaknessOf(make()), undefined)
    })
})

describe('a file of tokens', () => {
  const config = {
    allowReserve: [],
    denyReserve: [],
    allowConnect: [],
    denyConnect: [],
    allowTarget: [],
    denyTarget: [],
    tokenFor: 'all',
    admissionUrl: undefined,
  } as const

  async function fileOf(t: TestContext, text: string, mode = 0o600): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'throughnat-tokens-'))
    t.after(() => rm(directory, { recursive: true }))
    const path = join(directory, 'tokens')
    await writeFile(path, text)
    await chmod(path, mode)
    return path
  }

  const strong = randomBytes(32).toString('hex')

  it('is refused with the line of each weak token', async t => {
    const tokenFile = await fileOf(t, `# ours\n${strong}\nsesame\n\nopen # soon\n`)
    await assert.rejects(
      admissionRulesOf({ ...config, tokenFile }, () => {}),
      (error: { name: string; problems: { where: string }[] }) => {
        assert.equal(error.name, 'InvalidConfigError')
        assert.deepEqual(
          error.problems.map(it => it.where),
          [`${tokenFile}:3`, `${tokenFile}:5`],
        )
        return true
      },
    )
  })

  const modeless = process.platform === 'win32' && 'Windows has no such modes'
  for (const [mode, warning] of [
    [0o600, undefined],
    [0o400, undefined],
    [0o644, /can be read by others \(mode 644\); run: chmod 600 /],
    [0o640, /can be read by its group \(mode 640\); run: chmod 600 /],
  ] as const)
    it(`with mode ${mode.toString(8)} is read${warning === undefined ? '' : ', with a warning'}`, {
      skip: modeless,
    }, async t => {
      const warnings: string[] = []
      const tokenFile = await fileOf(t, `${strong}\n`, mode)
      const rules = await admissionRulesOf({ ...config, tokenFile }, text => warnings.push(text))
      assert.deepEqual(rules.tokens, [strong])
      assert.equal(warnings.length, warning === undefined ? 0 : 1)
      if (warning !== undefined) assert.match(warnings[0] ?? '', warning)
    })

  it('that others can change is refused', { skip: modeless }, async t => {
    const tokenFile = await fileOf(t, `${strong}\n`, 0o606)
    await assert.rejects(
      admissionRulesOf({ ...config, tokenFile }, () => {}),
      {
        name: 'InvalidConfigError',
        message: /^token-file: .* can be changed by others .*; run: chmod 600 /,
      },
    )
  })
})
