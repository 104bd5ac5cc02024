/** Which environment variables count, which are ignored, and which of these get a warning. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readEnvironmentSource } from '../../../../src/config/environment.ts'
import { nameOptions } from '../../../../src/config/options.ts'

const options = nameOptions({
  relays: { kind: 'string', name: 'relay', many: true, optional: true, doc: 'Relays' },
  port: { kind: 'port', optional: true, doc: 'Port' },
  once: { kind: 'boolean', flagOnly: true, doc: 'A flag only' },
})

/** What is given, as `variable=text`, and the warnings. */
function read(environment: Record<string, string>): { given: string[]; warnings: string[] } {
  const { given, warnings, problems } = readEnvironmentSource(environment, options, ['THROUGHNAT_EXPOSE'])
  assert.deepEqual(problems, [])
  const texts = given.map(({ where, items }) => `${where}=${items.map(({ text }) => text).join('|')}`)
  return { given: texts, warnings }
}

/** As Kubernetes documents them, for a Service with one named port. */
function serviceLinks(service: string): Record<string, string> {
  return {
    [`${service}_SERVICE_HOST`]: '10.96.12.7',
    [`${service}_SERVICE_PORT`]: '4001',
    [`${service}_SERVICE_PORT_LIBP2P`]: '4001',
    [`${service}_PORT`]: 'tcp://10.96.12.7:4001',
    [`${service}_PORT_4001_TCP`]: 'tcp://10.96.12.7:4001',
    [`${service}_PORT_4001_TCP_PROTO`]: 'tcp',
    [`${service}_PORT_4001_TCP_PORT`]: '4001',
    [`${service}_PORT_4001_TCP_ADDR`]: '10.96.12.7',
  }
}

describe('Kubernetes service links', () => {
  for (const service of ['THROUGHNAT_RELAY', 'THROUGHNAT_A', 'THROUGHNAT_EXPOSE', 'THROUGHNAT_ONCE'])
    test(`of a Service ${service} are ignored silently`, () => {
      assert.deepEqual(read(serviceLinks(service)), { given: [], warnings: [] })
    })

  for (const value of ['tcp://10.96.12.7:4001', 'udp://10.96.12.7:53', 'tcp://[2001:db8::7]:4001'])
    test(`${value} on an option of ours is ignored with a warning`, () => {
      assert.deepEqual(read({ THROUGHNAT_PORT: value }), {
        given: [],
        warnings: ['THROUGHNAT_PORT is ignored: its value is a Kubernetes service link'],
      })
    })

  test('of a Service "throughnat" leave the other options in force', () => {
    const { given, warnings } = read({ ...serviceLinks('THROUGHNAT'), THROUGHNAT_RELAY: 'a,b' })
    assert.deepEqual(given, ['THROUGHNAT_RELAY=a|b'])
    assert.equal(warnings.length, 1)
  })
})

test('an unknown variable is ignored silently, and so is that of another command', () => {
  const environment = { THROUGHNAT_MAX_CIRCUITS: '1', THROUGHNAT_EXPOSE: 'a', OTHER: 'x', THROUGHNAT_: '' }
  assert.deepEqual(read(environment), { given: [], warnings: [] })
})

test('a near miss of an option is ignored with a warning', () => {
  for (const [variable, meant] of [
    ['THROUGHNAT_RELAYS', 'THROUGHNAT_RELAY'],
    ['THROUGHNAT_PROT', 'THROUGHNAT_PORT'],
    ['THROUGHNAT_EXPOSED', 'THROUGHNAT_EXPOSE'],
  ] as const) {
    const warning = `${variable} is ignored: it is not an option; did you mean ${meant}`
    assert.deepEqual(read({ [variable]: 'x' }), { given: [], warnings: [warning] })
  }
})

test('a flag of the command line only is ignored with a warning', () => {
  assert.deepEqual(read({ THROUGHNAT_ONCE: '1' }).warnings, [
    'THROUGHNAT_ONCE is ignored: --once is an option of the command line only',
  ])
})

test('a value loses the quotes around it', () => {
  for (const quoted of ['"4001"', "'4001'", '"4001"\r', ' "4001" '])
    assert.deepEqual(read({ THROUGHNAT_PORT: quoted }).given, ['THROUGHNAT_PORT=4001'])
  assert.deepEqual(read({ THROUGHNAT_PORT: '""' }).given, [])
  assert.deepEqual(read({ THROUGHNAT_PORT: '"4001' }).given, ['THROUGHNAT_PORT="4001'])
})

test('quotes in a list hold together what has a blank or a comma in it', () => {
  for (const [text, given] of [
    ['web=127.0.0.1:80 "files=unix:/run/my files.sock"', 'web=127.0.0.1:80|files=unix:/run/my files.sock'],
    ["files='unix:/run/a, b.sock',web=127.0.0.1:80", 'files=unix:/run/a, b.sock|web=127.0.0.1:80'],
    ['"a b"', 'a b'],
    ['"a" "b"', 'a|b'],
    ['"it\'s here"', "it's here"],
    ['"" a', 'a'],
    ['a,b c\nd', 'a|b|c|d'],
  ] as const)
    assert.deepEqual(read({ THROUGHNAT_RELAY: text }).given, [`THROUGHNAT_RELAY=${given}`])
})

test('a value loses the carriage return at its end', () => {
  assert.deepEqual(read({ THROUGHNAT_PORT: '4001\r', THROUGHNAT_RELAY: 'a b\r' }).given, [
    'THROUGHNAT_PORT=4001',
    'THROUGHNAT_RELAY=a|b',
  ])
  assert.deepEqual(read({ THROUGHNAT_PORT: '\r' }).given, [])
})
