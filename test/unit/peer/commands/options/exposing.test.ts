/** What a configuration exposes, and to whom. */
import { strict as assert } from 'node:assert'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { exposureOf } from '../../../../../peer/commands/options/exposing.ts'
import { exposingOptions } from '../../../../../peer/commands/options/node-options.ts'
import { examplePeerId } from '../../../../../src/config/kinds/address-kinds.ts'
import { resolveOptions } from '../../../src/config/resolve-options.ts'
import { InvalidConfigError } from '../../../../../src/errors.ts'
import type { Exposure } from '../../../../../peer/commands/options/exposing.ts'
import type { PeerNames } from '../../../../../peer/connections/names.ts'

const names: PeerNames = {
  resolve(text, where) {
    if (text === 'laptop') return examplePeerId
    if (text.length > 32) return text
    throw new InvalidConfigError([{ where, what: `no peer is called ${text}` }])
  },
  nameOf: () => undefined,
}

async function exposure(
  given: {
    [K in keyof typeof exposingOptions]?: string | string[]
  },
): Promise<Exposure> {
  const flags = Object.entries(given).flatMap(([key, texts]) =>
    [texts].flat().map(text => ({ key, flag: `--${key}`, text })),
  )
  return exposureOf(resolveOptions(exposingOptions, { flags }).config, names)
}

test('rules come from options and from a file, by peer id and by name', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(directory, { recursive: true }))
  const allowFile = join(directory, 'allow')
  await writeFile(allowFile, `# friends\nssh=laptop # mine\n\nweb=${examplePeerId}\n`)
  const { services, allow } = await exposure({
    expose: ['ssh=127.0.0.1:22', 'web=unix:/run/web.sock', 'api=127.0.0.1:80'],
    allow: ['api=anyone', `api=${examplePeerId}`],
    allowFile,
    proxyProtocol: ['web'],
  })
  assert.deepEqual(services.get('ssh'), { host: '127.0.0.1', port: 22, proxyHeader: false })
  assert.deepEqual(services.get('web'), { path: '/run/web.sock', proxyHeader: true })
  assert.deepEqual(
    [...allow],
    [
      ['api', 'anyone'],
      ['ssh', new Set([examplePeerId])],
      ['web', new Set([examplePeerId])],
    ],
  )
})

test('every rule for a missing service or an unknown peer is told, with its place', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(directory, { recursive: true }))
  const allowFile = join(directory, 'allow')
  await writeFile(allowFile, '\nshs=anyone\n')
  const wrong = { expose: ['ssh=127.0.0.1:22'], allow: ['ssh=lapdog'], allowFile, proxyProtocol: ['web'] }
  await assert.rejects(exposure(wrong), (error: { problems: { where: string; what: string }[] }) => {
    assert.deepEqual(
      error.problems.map(({ where, what }) => `${where}: ${what}`),
      [
        `${allowFile}:2: there is no service called "shs"; the nearest known is "ssh"`,
        '--proxy-protocol: there is no service called "web"; the nearest known is "ssh"',
        '--allow: no peer is called lapdog',
      ],
    )
    return true
  })
})

test('every line of the file that is no rule is told', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(directory, { recursive: true }))
  const allowFile = join(directory, 'allow')
  await writeFile(allowFile, 'ssh\nssh=\nssh=anyone\n')
  await assert.rejects(
    exposure({ expose: ['ssh=127.0.0.1:22'], allowFile }),
    (error: { problems: unknown[] }) => {
      assert.equal(error.problems.length, 2)
      return true
    },
  )
})
