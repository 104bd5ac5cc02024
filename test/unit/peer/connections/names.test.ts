/** The file with what a user calls peers. */
import { strict as assert } from 'node:assert'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readNames } from '../../../../peer/connections/names.ts'
import type { TestContext } from 'node:test'

const NAS = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const IN_BASE36 = 'k51qzi5uqu5djyxhdovnzzj6d2n1wowrq6q9bhgn5i3tqvn33g6ne0cnno5288'

async function file(t: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'names')
  await writeFile(path, text)
  return path
}

test('a name stands for the target beside it, and everything else for itself', async t => {
  const names = await readNames(
    await file(t, `# mine\n\nhome  12D3KooWHome # the cellar\nnas\t/ip4/192.0.2.1/p2p/${IN_BASE36}\n`),
  )
  assert.equal(names.resolve('home', 'TARGET'), '12D3KooWHome')
  assert.equal(names.resolve('12D3KooWOther', 'TARGET'), '12D3KooWOther')
  assert.equal(names.nameOf(NAS), 'nas')
  assert.equal(names.nameOf('12D3KooWOther'), undefined)
})

test('a name that nobody has comes with the nearest one', async t => {
  const names = await readNames(await file(t, 'home 12D3KooWHome\nnas 12D3KooWNas\n'))
  assert.throws(() => names.resolve('hone', 'TARGET'), {
    name: 'InvalidConfigError',
    message: /^TARGET: no peer is called "hone" in .*; the nearest known is "home"$/,
  })
})

test('all lines that are wrong are told at once', async t => {
  const path = await file(t, 'home\nBig 12D3KooW\nanyone 12D3KooW\nnas a b\nok 1\nok 2\n')
  await assert.rejects(readNames(path), (error: { problems: { where: string }[] }) => {
    assert.deepEqual(
      error.problems.map(({ where }) => where),
      [1, 2, 3, 4, 6].map(line => `${path}:${line}`),
    )
    return true
  })
})

test('a file that was asked for must be there', async () => {
  await assert.rejects(readNames('/nowhere/names'), /\/nowhere\/names cannot be read \(ENOENT\)/)
})
