/**
 * The examples, each run as its reader would run it: from source, against a relay, with the package as it is built.
 *
 * On loopback a path turns direct by connection reversal; what NATs do is for test/lab.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Program, directory, startRelay } from './program.ts'
import type { TestContext } from 'node:test'

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url))
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const programs = [
  'echo/listener.ts',
  'echo/dialer.ts',
  'http/server.ts',
  'http/fetch.ts',
  'chat.ts',
  'libp2p.ts',
]

describe('the examples', { timeout: 120_000 }, () => {
  // they import the package by its name, which leads to dist/
  before(() =>
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
      cwd: ROOT,
    }),
  )

  for (const name of programs)
    it(`${name} says how it is used when it is told nothing`, async t => {
      const program = run(t, name)
      assert.equal(await program.ended(), 2)
      assert.match(program.stderr, /^usage: node \S+\.ts /)
    })

  it('have at most 60 lines each', () => {
    for (const name of readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const lines = readFileSync(EXAMPLES + name, 'utf8').split('\n').length - 1
      assert.ok(lines <= 60, `${name} has ${lines} lines`)
    }
  })

  it('echo comes back at once, and direct in the end', async t => {
    const { listener, target } = await listening(t, 'echo/listener.ts', /listening: (\S+)/)
    const dialer = run(t, 'echo/dialer.ts', target)
    assert.equal(await dialer.ended(), 0, dialer.stderr)
    // most often it is still relayed at first
    assert.match(dialer.stdout, /^(relayed|direct): hello\ndirect: hello again\n$/)
    await listener.said(/is now direct/, 'stdout')
    await endsOnCtrlC(listener)
  })

  it('echo says what is wrong where nobody listens', async t => {
    const { listener, target } = await listening(t, 'echo/listener.ts', /listening: (\S+)/)
    await endsOnCtrlC(listener)
    const dialer = run(t, 'echo/dialer.ts', target)
    assert.equal(await dialer.ended(), 1)
    assert.match(dialer.stderr, /^Cannot reach 12D3KooW.*NO_RESERVATION/)
  })

  it('http brings the page', async t => {
    const { listener, target } = await listening(t, 'http/server.ts', /serving: (\S+)/)
    const fetch = run(t, 'http/fetch.ts', target, '/some/page')
    assert.equal(await fetch.ended(), 0, fetch.stderr)
    assert.match(fetch.stdout, /^200 over a (relayed|direct) path\nYou asked for \/some\/page\./)
    await endsOnCtrlC(listener)
  })

  it('chat carries lines both ways, and ends with either side', async t => {
    const { listener: waiting, target } = await listening(t, 'chat.ts', /chat\.ts (\S+)/, 'stderr')
    const calling = run(t, 'chat.ts', target)
    calling.child.stdin.write('hello\n')
    await waiting.said(/^hello\n/, 'stdout')
    waiting.child.stdin.write('hello yourself\n')
    await calling.said(/^hello yourself\n/, 'stdout')
    calling.child.stdin.end()
    assert.equal(await waiting.ended(), 0, waiting.stderr)
    assert.equal(await calling.ended(), 0, calling.stderr)
  })

  it('chat ends on Ctrl-C', async t => {
    const { listener } = await listening(t, 'chat.ts', /chat\.ts (\S+)/, 'stderr')
    await endsOnCtrlC(listener)
  })

  it('libp2p turns direct by two factories', async t => {
    const { listener, relay, target } = await listening(t, 'libp2p.ts', /listening: (\S+)/)
    const dialer = run(t, 'libp2p.ts', relay, target)
    await dialer.said(/connected: \S+\/p2p-circuit\/p2p\/\S+\n/, 'stdout')
    await dialer.said(/direct: \/ip4\//, 'stdout')
    await endsOnCtrlC(dialer)
    await endsOnCtrlC(listener)
  })
})

function run(t: TestContext, name: string, ...args: string[]): Program {
  return new Program(t, EXAMPLES + name, args, { json: false })
}

/** Starts an example that waits for others, and reads from what it prints where to. */
async function listening(
  t: TestContext,
  name: string,
  pattern: RegExp,
  from: 'stdout' | 'stderr' = 'stdout',
): Promise<{ listener: Program; relay: string; target: string }> {
  const { addr: relay } = await startRelay(t, await directory(t))
  const listener = run(t, name, relay)
  const [, target = ''] = await listener.said(pattern, from)
  return { listener, relay, target }
}

async function endsOnCtrlC(program: Program): Promise<void> {
  program.child.kill('SIGINT')
  assert.equal(await program.ended(), 130, program.stderr)
}
