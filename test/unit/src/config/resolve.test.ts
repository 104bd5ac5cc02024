/** Resolution: precedence, all problems together, and what is frozen. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InvalidConfigError } from '../../../../src/errors.ts'
import { explainResolution } from '../../../../src/config/describe.ts'
import { parseConfigFile } from '../../../../src/config/file.ts'
import type { GivenFlag } from '../../../../src/config/given.ts'
import type { OptionTable } from '../../../../src/config/options.ts'
import type { Sources } from '../../../../src/config/resolve.ts'
import { resolveOptions } from './resolve-options.ts'

const table = {
  port: { kind: 'port', default: 1, doc: 'Port to listen on' },
  names: { kind: 'string', name: 'name', many: true, default: ['built-in'], doc: 'Names' },
  intervalMs: { kind: 'duration', default: '1s', min: '100ms', max: '1m', doc: 'Time between two' },
  loud: { kind: 'boolean', default: true, doc: 'Makes noise' },
  dataDir: { kind: 'path', default: './data', doc: 'Folder' },
  listen: { kind: 'multiaddr', many: true, optional: true, doc: 'Where to listen' },
  peer: { kind: 'peer-id', optional: true, doc: 'Peer' },
  only: { kind: 'boolean', flagOnly: true, doc: 'A flag and nothing else' },
} as const satisfies OptionTable
type Table = typeof table
type Key = Extract<keyof Table, string>

const file = (text: string) => parseConfigFile(text, 'relay.yaml', '/etc/relay')
const flag = (key: Key, text: string | undefined): GivenFlag => ({
  key,
  flag: `--${key}`,
  text,
})

function problemsOf(sources: Sources, name = 'InvalidConfigError'): string[] {
  try {
    resolveOptions(table, sources)
  } catch (error) {
    assert.ok(error instanceof Error)
    assert.equal(error.name, name)
    const { problems } = (name === 'UsageError' ? error.cause : error) as InvalidConfigError
    assert.deepEqual(error.message.split('\n').length, problems.length)
    return problems.map(({ where, what }) => `${where}: ${what}`)
  }
  return assert.fail('nothing was thrown')
}

test('built in < file < environment < flag', () => {
  const layers: Sources[] = [
    {},
    { file: file('port: 2') },
    { environment: { THROUGHNAT_PORT: '3' } },
    { flags: [flag('port', '4')] },
  ]
  for (let subset = 0; subset < 2 ** layers.length; subset += 1) {
    const chosen = layers.filter((_, index) => (subset & (2 ** index)) !== 0)
    const strongest = layers.findLastIndex((_, index) => index === 0 || (subset & (2 ** index)) !== 0)
    assert.equal(resolveOptions(table, Object.assign({}, ...chosen)).config.port, strongest + 1)
  }
})

test('a stronger source replaces a list as a whole', () => {
  const both = { file: file('name: [a, b]'), environment: { THROUGHNAT_NAME: 'c, d  e,,f' } }
  assert.deepEqual(resolveOptions(table, both).config.names, ['c', 'd', 'e', 'f'])
  const flags = [flag('names', 'g'), flag('names', 'h,i')]
  assert.deepEqual(resolveOptions(table, { ...both, flags }).config.names, ['g', 'h,i'])
  assert.deepEqual(resolveOptions(table, { file: file('name: []') }).config.names, [])
  assert.deepEqual(resolveOptions(table, { file: file('name: one') }).config.names, ['one'])
})

test('of a flag given twice the last one counts, and the first is still checked', () => {
  assert.equal(resolveOptions(table, { flags: [flag('port', '1'), flag('port', '2')] }).config.port, 2)
})

test('an empty variable counts as not set', () => {
  assert.equal(
    resolveOptions(table, { environment: { THROUGHNAT_PORT: '', THROUGHNAT_NAME: ' ' } }).config.port,
    1,
  )
})

test('relative paths start from the config file, or else from the working directory', () => {
  const directory = '/srv/dir'
  assert.equal(
    resolveOptions(table, { file: file('data-dir: ./x'), directory }).config.dataDir,
    '/etc/relay/x',
  )
  assert.equal(
    resolveOptions(table, { flags: [flag('dataDir', 'x')], directory }).config.dataDir,
    '/srv/dir/x',
  )
  assert.equal(resolveOptions(table, { directory }).config.dataDir, '/srv/dir/data')
})

test('the configuration and its lists are frozen and complete', () => {
  const { config } = resolveOptions(table, {})
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.names) && Object.isFrozen(config.listen))
  assert.deepEqual(Object.keys(config), Object.keys(table))
  assert.equal(config.peer, undefined)
  assert.deepEqual(config.listen, [])
})

test('all problems of all sources come at once, with their places and the nearest names', () => {
  const problems = problemsOf({
    file: file('prot: 1\nport: 70000\nloud: maybe\nport: 2'),
    environment: {
      THROUGHNAT_INTERVAL: '10',
      THROUGHNAT_LISTEN: '/ip4/192.0.2.1 bad',
      OTHER: 'x',
    },
  })
  assert.deepEqual(problems.sort(), [
    'THROUGHNAT_INTERVAL: "10" is not a duration: a bare number has no unit, write 10s or 10ms; for example 10s',
    'THROUGHNAT_LISTEN: "bad" is not a multiaddr: it must start with a slash; for example /ip4/192.0.2.1/tcp/4001',
    'relay.yaml:1: unknown option "prot"; the nearest known is "port"',
    'relay.yaml:2: port "70000" is not a port: expected a port, a whole number from 0 to 65535; for example 4001',
    'relay.yaml:3: loud "maybe" is not true or false: expected true, false, 1 or 0; for example true',
    'relay.yaml:4: "port" was given before, at relay.yaml:2',
  ])
})

test('a wrong value does not hide behind a stronger source', () => {
  assert.equal(problemsOf({ file: file('port: x'), environment: { THROUGHNAT_PORT: '1' } }).length, 1)
})

test('a wrong flag makes it usage, and the other problems come along', () => {
  const problems = problemsOf({ file: file('port: x'), flags: [flag('intervalMs', '1ms')] }, 'UsageError')
  assert.equal(problems.length, 2)
  assert.ok(problems.includes('--intervalMs: "1ms" is too small: 100ms is the least'))
})

const wrong: Record<string, [sources: Sources, problem: RegExp, name?: string]> = {
  'a value above the range': [
    { environment: { THROUGHNAT_INTERVAL: '61s' } },
    /is too large: 1m is the most/,
  ],
  'a list for a single option': [
    { file: file('port: [1, 2]') },
    /^relay.yaml:1: port takes one value and not a list/,
  ],
  'a flag without its value': [
    { flags: [flag('port', undefined)] },
    /needs a value, for example 4001/,
    'UsageError',
  ],
  'an empty value': [{ flags: [flag('port', '')] }, /"" is not a port: it is empty/, 'UsageError'],
  'the camelCase spelling in the file': [{ file: file('dataDir: x') }, /the nearest known is "data-dir"/],
  'an option of the command line alone in the file': [{ file: file('only: true') }, /unknown option "only"/],
}
for (const [name, [sources, problem, errorName]] of Object.entries(wrong)) {
  test(`${name} is refused`, () => {
    const problems = problemsOf(sources, errorName)
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', problem)
  })
}

test('a very long value is cut short in its problem', () => {
  assert.ok((problemsOf({ environment: { THROUGHNAT_PORT: '9'.repeat(10_000) } })[0]?.length ?? 0) < 300)
})

test('options of other commands are known and passed over', () => {
  const { config } = resolveOptions(table, {
    file: file('expose: a'),
    environment: { THROUGHNAT_EXPOSE: 'a', THROUGHNAT_STATUS: 'b' },
    otherNames: ['expose'],
  })
  assert.equal(config.port, 1)
  const problems = problemsOf({ file: file('exposee: a'), otherNames: ['expose'] })
  assert.match(problems[0] ?? '', /the nearest known is "expose"/)
})

test('a required option that nobody gives is a usage error', () => {
  const required = { relays: { kind: 'relay-addr', name: 'relay', many: true, doc: 'Relay' } } as const
  const onCommandLine = {
    name: 'UsageError',
    message: /^--relay: is required at least once, for example --relay \/ip4/,
  }
  assert.throws(() => resolveOptions(required, { flags: [] }), onCommandLine)
  assert.throws(() => resolveOptions(required, { flags: [], file: file('relay: []') }), onCommandLine)
})

test('each value is explained with its place', () => {
  const resolution = resolveOptions(table, {
    file: file('\nname: [a, b]'),
    environment: { THROUGHNAT_INTERVAL: '1500ms' },
    flags: [{ key: 'loud', flag: '--no-loud', text: 'false' }],
    directory: '/home',
  })
  assert.deepEqual(
    explainResolution(table, resolution).map(({ option, value, from }) => `${option} ${value} ${from}`),
    [
      'port 1 built in',
      'name a relay.yaml:2',
      'name b relay.yaml:2',
      'interval 1500ms THROUGHNAT_INTERVAL',
      'loud false --no-loud',
      'data-dir /home/data built in',
      'listen undefined built in',
      'peer undefined built in',
      'only false built in',
    ],
  )
})
