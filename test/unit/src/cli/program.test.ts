/** Programs, run inside the test: usage, help, configuration from everywhere. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Command } from '../../../../src/cli/command.ts'
import { defineCommand } from '../../../../src/cli/command.ts'
import { examplePeerId } from '../../../../src/config/kinds/address-kinds.ts'
import { runFake } from './fake-process.ts'
import { commands, example } from './ping-program.ts'

const doc = 'Does something'

describe('the command line', () => {
  test('options and arguments arrive parsed', async () => {
    const argv = [
      'ping',
      examplePeerId,
      '7',
      '--interval=2s',
      '--relay',
      '/ip4/192.0.2.1',
      '--relay',
      '/ip4/192.0.2.2',
    ]
    const ran = await runFake([...argv, '--json', '--no-port-mapping', '--until-direct'], {
      commands: commands(),
    })
    assert.equal(ran.stderr, '')
    const { event, at, ...fields } = JSON.parse(ran.stdout)
    assert.equal(event, 'got')
    assert.equal(typeof at, 'number')
    assert.deepEqual(fields, {
      intervalMs: 2000,
      relays: ['/ip4/192.0.2.1', '/ip4/192.0.2.2'],
      untilDirect: true,
      portMapping: false,
      target: examplePeerId,
      extra: 7,
    })
    assert.equal(ran.code, 0)
  })

  test('global options may stand before the command', async () => {
    const ran = await runFake(['--json', 'ping', examplePeerId], { commands: commands() })
    assert.match(ran.stdout, /^{"event":"got"/)
  })

  const usage: Record<string, [argv: string[], stderr: RegExp]> = {
    'no command': [[], /^Usage: throughnat COMMAND/],
    'an unknown command': [['pin'], /^error: pin: unknown command; the nearest known is "ping"\n/],
    'a flag in front of its command': [
      ['--interval', '1s', 'ping'],
      /--interval: unknown flag.* after its name/,
    ],
    'an unknown flag': [
      ['ping', examplePeerId, '--intervall', '1s'],
      /--intervall: unknown flag; .* "--interval"\n/,
    ],
    'an unknown flag with a value that may be a secret': [
      ['ping', '--tokn=hunter2'],
      /^error: --tokn: unknown flag/,
    ],
    'an unknown flag whose value may be a secret': [
      ['ping', '--tokn', 'hunter2'],
      /^error: --tokn: unknown flag/,
    ],
    'a missing argument': [['ping'], /^error: TARGET: missing, for example 12D3KooW/],
    'an excess argument': [['listen', 'a', 'b'], /^error: a: unexpected argument/],
    'a bad argument': [['ping', 'x'], /^error: TARGET: "x" is not a peer id/],
    'a bad flag value': [
      ['ping', examplePeerId, '--interval', '10'],
      /^error: --interval: "10" is not a duration/,
    ],
    'a flag without its value': [
      ['ping', examplePeerId, '--interval', '--json'],
      /--interval: needs a value/,
    ],
    'a switch with a value': [['ping', examplePeerId, '--json=1'], /^error: --json: takes no value/],
    'help for an unknown command': [['help', 'x'], /^Usage: throughnat COMMAND/],
  }
  for (const [name, [argv, stderr]] of Object.entries(usage)) {
    test(`${name} ends with 2 and says so on stderr`, async () => {
      const ran = await runFake(argv, { commands: commands() })
      assert.match(ran.stderr, stderr)
      assert.match(ran.stderr, /--help\.\n$/)
      assert.equal(ran.stdout, '')
      assert.equal(ran.code, 2)
    })
  }

  test('everything wrong with flags, environment and file is reported together', async t => {
    const directory = await mkdtemp(join(tmpdir(), 'throughnat-cli-'))
    t.after(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'c.yaml'), 'expose: [x]\nrelays: y\ninterval: 5\n')
    const argv = ['ping', 'x', '--config', 'c.yaml', '--intervall', '--relay', 'z']
    const env = {
      THROUGHNAT_RELAYS: 'a',
      THROUGHNAT_EXPOSE: 'b',
      THROUGHNAT_STATUS: 'c',
      THROUGHNAT_PORT: 'http',
    }
    const ran = await runFake(argv, { commands: commands(), env, directory })
    assert.equal(ran.code, 2)
    const where = ran.stderr
      .split('\n')
      .slice(1, -2)
      .map(line => line.trim().split(': ', 1)[0] ?? '')
    const expected = ['--intervall', '--relay', 'TARGET', 'THROUGHNAT_PORT', 'c.yaml:2', 'c.yaml:3']
    assert.deepEqual(where.sort(), expected)
    assert.match(ran.stderr, /^error: 6 problems\n/)
  })

  test('an unknown variable is ignored, and a near miss gets a warning', async () => {
    const env = { THROUGHNAT_RELAYS: 'a', THROUGHNAT_X: 'b', THROUGHNAT_RELAY_SERVICE_HOST: '10.96.12.7' }
    const ran = await runFake(['ping', examplePeerId], { commands: commands(), env })
    assert.equal(ran.code, 0, ran.stderr)
    assert.equal(
      ran.stderr,
      'warning: THROUGHNAT_RELAYS is ignored: it is not an option; did you mean THROUGHNAT_RELAY.\n',
    )
  })

  test('with a good command line, a bad environment or file ends with 3', async () => {
    const argv = ['ping', examplePeerId]
    for (const env of [{ THROUGHNAT_INTERVAL: '5' }, { THROUGHNAT_CONFIG: 'absent.yaml' }]) {
      const ran = await runFake(argv, { commands: commands(), env })
      assert.equal(ran.code, 3, ran.stderr)
    }
    const absent = await runFake([...argv, '--config', 'absent.yaml'], { commands: commands() })
    assert.equal(absent.stderr, 'error: absent.yaml: there is no such configuration file; check the path\n')
    assert.equal(absent.code, 3)
  })

  test('a command that takes the name of a global option is refused', async () => {
    const json = defineCommand({
      name: 'x',
      summary: 'x',
      options: { json: { kind: 'boolean', doc } },
      examples: [],
      run() {},
    })
    const ran = await runFake(['x'], { commands: [json] })
    assert.match(ran.stderr, /choose another name/)
    assert.equal(ran.code, 1)
  })
})

describe('help', () => {
  test('that of a command shows usage, defaults, examples and where else options come from', async () => {
    const ran = await runFake(['ping', '--help'], { commands: commands() })
    assert.equal(ran.code, 0)
    assert.equal(ran.stderr, '')
    for (const part of [
      'Usage: throughnat ping TARGET [EXTRA] [options]',
      'Time between two pings (default: 1s)',
      'Relay to go through (for example /ip4/192.0.2.1/tcp/4001)',
      '--relay MA ...',
      '--no-port-mapping',
      '--config FILE',
      '--explain',
      '--version',
      'THROUGHNAT_INTERVAL',
      example,
    ]) {
      assert.ok(ran.stdout.includes(part), `${part} is missing in\n${ran.stdout}`)
    }
    assert.doesNotMatch(ran.stdout, /--no-json|\[value\]/)
  })

  test('it is shown although other things are wrong', async () => {
    const ran = await runFake(['ping', '--intervall', '--interval', '--help'], {
      commands: commands(),
      env: { THROUGHNAT_X: '1' },
    })
    assert.match(ran.stdout, /^Usage: throughnat ping/)
    assert.equal(ran.code, 0)
  })

  test('that of the program lists the commands with their arguments', async () => {
    const ran = await runFake(['--help'], { commands: commands() })
    assert.match(ran.stdout, /ping TARGET \[EXTRA\] +Measures the way to a peer/)
    assert.equal(ran.code, 0)
  })

  test('help ping is ping --help', async () => {
    const [one, other] = await Promise.all([
      runFake(['help', 'ping'], { commands: commands() }),
      runFake(['ping', '-h'], { commands: commands() }),
    ])
    assert.deepEqual(one, other)
  })

  test('a command alone is the program itself', async () => {
    const [ping] = commands() as [Command]
    const ran = await runFake([examplePeerId, '--interval', '3s'], { commands: ping })
    assert.equal(ran.stdout, 'got 3000\n')
    const help = await runFake(['--help'], { commands: ping })
    assert.match(help.stdout, /^Usage: throughnat TARGET \[EXTRA\] \[options\]/)
  })

  test('the version is shown by the program and by every command', async () => {
    for (const argv of [['--version'], ['ping', '--version']]) {
      const ran = await runFake(argv, { commands: commands() })
      assert.deepEqual([ran.stdout, ran.code], ['1.2.3\n', 0])
    }
  })
})

describe('--explain', () => {
  const env = { THROUGHNAT_PORT: '4242', THROUGHNAT_INTERVAL: '2m' }

  test('shows each value and its place, and does not run the command', async () => {
    const ran = await runFake(['ping', '--explain', '--no-port-mapping'], { commands: commands(), env })
    assert.deepEqual(
      ran.stdout
        .trimEnd()
        .split('\n')
        .map(line => line.split(/ {2,}/)),
      [
        ['interval', '2m', 'THROUGHNAT_INTERVAL'],
        ['relay', '-', 'built in'],
        ['until-direct', 'false', 'built in'],
        ['port-mapping', 'false', '--no-port-mapping'],
        ['port', '4242', 'THROUGHNAT_PORT'],
        ['json', 'false', 'built in'],
        ['quiet', 'false', 'built in'],
        ['config', '-', 'built in'],
        ['explain', 'true', '--explain'],
        ['check-config', 'false', 'built in'],
      ],
    )
    assert.equal(ran.code, 0)
  })

  test('is JSON lines under --json', async () => {
    const ran = await runFake(['ping', '--explain', '--json'], { commands: commands(), env })
    const [{ at, ...first }] = ran.stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    assert.equal(typeof at, 'number')
    assert.deepEqual(first, { event: 'option', option: 'interval', value: '2m', from: 'THROUGHNAT_INTERVAL' })
  })

  test('tells problems rather than values', async () => {
    const ran = await runFake(['ping', '--explain', '--interval', '5'], { commands: commands() })
    assert.deepEqual([ran.stdout, ran.code], ['', 2])
  })
})
