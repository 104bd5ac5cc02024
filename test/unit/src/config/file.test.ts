/** Configuration files: what is read, with its line, and what is refused cleanly. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { longestFileBytes, parseConfigFile, readConfigFile } from '../../../../src/config/file.ts'

const parse = (text: string) => parseConfigFile(text, 'relay.yaml', '/etc')
const problemOf = (text: string): string => {
  const { problems } = parse(text)
  assert.equal(problems.length, 1, JSON.stringify(problems))
  return `${problems[0]?.where} ${problems[0]?.what}`
}

test('YAML keys come with their lines, and values as they were written', () => {
  const { entries, problems } = parse(
    '# relay\nport: 0x10\n\nlisten:\n  - /ip4/0.0.0.0/tcp/1\n  - "b"\nopen: yes\n',
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(entries, [
    { name: 'port', where: 'relay.yaml:2', isList: false, items: [{ where: 'relay.yaml:2', text: '0x10' }] },
    {
      name: 'listen',
      where: 'relay.yaml:4',
      isList: true,
      items: [
        { where: 'relay.yaml:5', text: '/ip4/0.0.0.0/tcp/1' },
        { where: 'relay.yaml:6', text: 'b' },
      ],
    },
    { name: 'open', where: 'relay.yaml:7', isList: false, items: [{ where: 'relay.yaml:7', text: 'yes' }] },
  ])
})

test('JSON is read too', () => {
  const { entries } = parse('{\n  "port": 4001,\n  "open": true,\n  "listen": ["a"]\n}')
  assert.deepEqual(
    entries.map(({ name, where, items }) => [name, where, items[0]?.text]),
    [
      ['port', 'relay.yaml:2', '4001'],
      ['open', 'relay.yaml:3', 'true'],
      ['listen', 'relay.yaml:4', 'a'],
    ],
  )
})

for (const [name, text] of Object.entries({ empty: '', 'of comments': '# none\n', 'of null': 'null' })) {
  test(`a file ${name} says nothing and is fine`, () => {
    assert.deepEqual(parse(text), { directory: '/etc', entries: [], problems: [] })
  })
}

const refused: Record<string, [text: string, problem: RegExp]> = {
  'a list as the root': ['- a\n- b', /^relay\.yaml:1 .*is a mapping/],
  'a text as the root': ['hello', /^relay\.yaml:1 .*is a mapping/],
  'a syntax error': ['a: 1\nb: c: d', /^relay\.yaml:2 not readable as YAML: nested mappings/],
  'an unclosed quote': ['a: 1\nb: "x', /^relay\.yaml:2 not readable as YAML: missing closing/],
  'a key given twice': ['a: 1\nb: 2\na: 3', /^relay\.yaml:3 "a" was given before, at relay\.yaml:1/],
  'a key without a value': ['a:\n', /^relay\.yaml:1 a has no value/],
  'a nested mapping': ['a:\n  b: 1', /^relay\.yaml:2 a takes a value or a list/],
  'an alias': ['x: &x 1\na: *x', /^relay\.yaml:2 a is an alias/],
  'a tag': ['a: !secret b', /^relay\.yaml:1 not readable as YAML: unresolved tag$/],
  'two documents': ['a: 1\n---\nb: 2', /multiple documents/],
  'a list as a key': ['? [a]\n: 1', /plain word/],
  'deep nesting': [`a: ${'['.repeat(20_000)}`, /nested too deeply|not readable/],
  'a stray token': [
    'a: |secret\n',
    /^relay\.yaml:1 not readable as YAML: block scalar header includes extra characters$/,
  ],
  'a bad escape': ['a: "\\qsecret"', /invalid escape sequence in double quotes$/],
}
for (const [name, [text, problem]] of Object.entries(refused)) {
  test(`${name} is refused with its line and without quoting the value`, () => {
    const told = problemOf(text)
    assert.match(told, problem)
    assert.doesNotMatch(told, /secret/)
  })
}

test('an alias bomb is refused at once', () => {
  const levels = Array.from(
    { length: 30 },
    (_, n) => `k${n}: &k${n} [${`*k${n - 1},`.repeat(n === 0 ? 0 : 9)}]`,
  )
  assert.equal(parse(levels.join('\n')).problems.length, 29 * 9)
})

test('a file that is absent, a folder, too large or not text is a problem of its own', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'throughnat-config-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'large.yaml'), `a: ${'x'.repeat(longestFileBytes)}`)
  await writeFile(join(folder, 'binary.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]))
  await writeFile(join(folder, 'good.yaml'), 'a: 1')
  const told = async (name: string) => (await readConfigFile(name, folder)).problems
  assert.match((await told('absent.yaml'))[0]?.what ?? '', /no such configuration file/)
  assert.equal((await told('absent.yaml'))[0]?.where, 'absent.yaml')
  assert.match((await told('.'))[0]?.what ?? '', /folder/)
  assert.match((await told('large.yaml'))[0]?.what ?? '', /256 KiB/)
  assert.match((await told('binary.yaml'))[0]?.what ?? '', /not UTF-8/)
  assert.deepEqual(await told('good.yaml'), [])
  assert.equal((await readConfigFile('good.yaml', folder)).directory, folder)
})

test('a value that YAML takes for something else is reported with what to do', () => {
  for (const [text, what] of [
    [
      'forward:\n- [::1]:8141=@t',
      /text after the end of a value; put a value that begins with \[ or \{ in quotes/,
    ],
    ['status: [::1]:4002', /text after the end of a value/],
    ['forward: {a}: b', /in quotes|nested/],
    ['target: @home.ticket', /reserved character @; put the value in quotes/],
    ['target: %home', /put the value in quotes/],
    ['target: `home`', /put the value in quotes/],
    ['target: *home', /put it in quotes if it begins with \*/],
  ] as const)
    assert.match(String(parseConfigFile(text, 'a.yaml', '/').problems[0]?.what), what, text)
})
