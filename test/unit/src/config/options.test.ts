/** Option tables: names outside follow from keys, and mistakes in a table come to light. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardRuleKind } from '../../../../peer/commands/options/forward-rule.ts'
import { serviceKind } from '../../../../peer/tunnel/listener/service-kinds.ts'
import { homeDirectory, NoHomeError } from '../../../../src/config/paths.ts'
import { choiceKind, namedKinds } from '../../../../src/config/kinds/kinds.ts'
import type { OptionTable, Resolved } from '../../../../src/config/options.ts'
import { nameOptions } from '../../../../src/config/options.ts'
import { resolveOptions } from './resolve-options.ts'

const doc = 'Does something'

test('flag, variable and file key follow from the key by one rule', () => {
  const [option] = nameOptions({ maxCircuitsPerIp: { kind: 'integer', default: 4, doc } })
  assert.equal(option?.flag, '--max-circuits-per-ip')
  assert.equal(option?.variable, 'THROUGHNAT_MAX_CIRCUITS_PER_IP')
  assert.equal(option?.name, 'max-circuits-per-ip')
})

test('the unit in the key of a quantity is no part of its name', () => {
  const names = nameOptions({
    intervalMs: { kind: 'duration', default: '1s', doc },
    limitBytes: { kind: 'size', default: '1MiB', doc },
    totalBytesPerSecond: { kind: 'rate', default: '1MiB/s', doc },
  }).map(({ name }) => name)
  assert.deepEqual(names, ['interval', 'limit', 'total'])
})

test('a name of its own replaces the derived one', () => {
  const [option] = nameOptions({ relays: { kind: 'relay-addr', name: 'relay', many: true, doc } })
  assert.equal(option?.flag, '--relay')
  assert.equal(option?.variable, 'THROUGHNAT_RELAY')
})

const wrong: Record<string, [table: OptionTable, message: RegExp]> = {
  'a quantity without its unit': [{ interval: { kind: 'duration', doc } }, /call it intervalMs/],
  'two options of one name': [
    { timeoutMs: { kind: 'duration', doc }, timeout: { kind: 'integer', doc } },
    /two options called timeout/,
  ],
  'a default that its own kind refuses': [
    { intervalMs: { kind: 'duration', default: '10', doc } },
    /table is wrong/,
  ],
  'a default out of range': [
    { count: { kind: 'integer', default: 0, min: 1, doc } },
    /table is wrong.*too small/,
  ],
}
for (const [name, [table, message]] of Object.entries(wrong)) {
  test(`a table with ${name} is refused`, () => assert.throws(() => resolveOptions(table, {}), { message }))
}

test('types follow from the table', () => {
  const table = {
    intervalMs: { kind: 'duration', default: '1s', doc },
    mode: { kind: 'choice', choices: ['open', 'closed'], default: 'open', doc },
    token: { kind: 'string', optional: true, doc },
    names: { kind: 'string', many: true, default: ['a'], doc },
    loud: { kind: 'boolean', doc },
    custom: { kind: { ...namedKinds['host-port'], noun: 'a place' }, default: 'localhost:1', doc },
  } as const satisfies OptionTable
  const config: Resolved<typeof table> = resolveOptions(table, {}).config
  const interval: number = config.intervalMs
  const mode: 'open' | 'closed' = config.mode
  const token: string | undefined = config.token
  const names: readonly string[] = config.names
  const loud: boolean = config.loud
  const port: number = config.custom.port
  assert.deepEqual([interval, mode, token, names, loud, port], [1000, 'open', undefined, ['a'], false, 1])
  // @ts-expect-error a key that the table does not have
  assert.equal(config.absent, undefined)
})

test('paths start from the given folder, and ~ is the home folder', () => {
  const place = { directory: '/etc/relay', home: '/home/ada' }
  const paths = ['data', './data', '../data', '/data', '~/data', '~', '~ada'].map(text =>
    namedKinds.path.parse(text, place),
  )
  assert.deepEqual(paths, [
    '/etc/relay/data',
    '/etc/relay/data',
    '/etc/data',
    '/data',
    '/home/ada/data',
    '/home/ada',
    '/etc/relay/~ada',
  ])
})

test('the home folder is looked up only for a path that starts with ~', () => {
  const place = {
    directory: '/etc/relay',
    get home(): string {
      throw new NoHomeError()
    },
  }
  assert.equal(namedKinds.path.parse('data', place), '/etc/relay/data')
  assert.equal(serviceKind.parse('web=127.0.0.1:80', place).name, 'web')
  assert.equal(forwardRuleKind.parse('127.0.0.1:1=@home.ticket', place).target, '@/etc/relay/home.ticket')
  assert.throws(() => namedKinds.path.parse('~/data', place), { name: 'NoHomeError' })
  assert.throws(() => serviceKind.parse('web=unix:~/web', place), { name: 'NoHomeError' })
})

test('an empty HOME is no home folder', t => {
  const { HOME } = process.env
  t.after(() => Object.assign(process.env, { HOME }))
  process.env['HOME'] = ''
  assert.throws(() => homeDirectory(), { name: 'NoHomeError' })
})

test('switches take true, false, 1 and 0', () => {
  const read = (text: string): boolean => namedKinds.boolean.parse(text, { directory: '/', home: '/' })
  assert.deepEqual(['true', 'TRUE', '1', 'false', '0'].map(read), [true, true, true, false, false])
  for (const text of ['yes', 'on', '2', 'truee'])
    assert.throws(() => read(text), /expected true, false, 1 or 0/)
})

test('a choice takes its words and no other', () => {
  const kind = choiceKind(['open', 'closed'])
  assert.equal(kind.noun, 'one of open, closed')
  assert.throws(() => kind.parse('shut', { directory: '/', home: '/' }))
  assert.equal(kind.parse('open', { directory: '/', home: '/' }), 'open')
})
