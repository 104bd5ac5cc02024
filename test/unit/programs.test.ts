/** The programs as they are built: the bundle in dist/programs, and what a start loads. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LIMIT = { timeout: 60_000 }
const PEER = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
/** Nothing listens on this port (tcpmux). */
const CLOSED_RELAY = `/ip4/127.0.0.1/tcp/1/p2p/${PEER}`

const directory = mkdtempSync(join(tmpdir(), 'programs-'))
after(() => rmSync(directory, { recursive: true }))

/** Prints the URLs of modules as they are loaded, and at the end the modules of Node.js, to stderr. */
const TRACE = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  import { writeSync } from 'node:fs'
  registerHooks({ load: (url, context, next) => (writeSync(2, 'loads ' + url + '\\n'), next(url, context)) })
  process.on('exit', () => writeSync(2, process.moduleLoadList.map(it => 'has ' + it + '\\n').join('')))
`)}`

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs Node.js to its end. Stops it by SIGINT as soon as `stopAt` is in its output. */
async function run(
  args: string[],
  { env = process.env, stopAt }: { env?: NodeJS.ProcessEnv; stopAt?: string } = {},
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const options = { cwd: ROOT, env, timeout: LIMIT.timeout, maxBuffer: 16 * 1024 * 1024 }
  const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode, stdout, stderr }),
  )
  child.stdin?.end()
  let output = ''
  child.stdout?.on('data', data => {
    output += String(data)
    if (stopAt !== undefined && output.includes(stopAt)) child.kill('SIGINT')
  })
  return promise
}

const programs = ['peer/bin/throughnat', 'relay/bin/throughnat-relay']
const peer = 'dist/peer/bin/throughnat.js'

describe('the bundled programs', LIMIT, () => {
  for (const program of programs)
    for (const args of [
      ['--help'],
      ['--version'],
      ['--helb'],
      ['lisen'],
      ['forward', '--help'],
      ['completion', 'bash'],
    ])
      it(`print what the sources print, and end with the same code: ${program} ${args.join(' ')}`, async () => {
        const [built, source] = await Promise.all([
          run([`dist/${program}.js`, ...args]),
          run([`${program}.ts`, ...args]),
        ])
        assert.deepEqual(built, source)
      })

  it('start with a home directory that does not exist, or none', async () => {
    for (const HOME of ['/nonexistent', undefined]) {
      const { code, stderr } = await run([peer, '--version'], { env: { PATH: process.env['PATH'], HOME } })
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    }
  })

  it('share no module with the entry points for embedding', () => {
    const files = globSync('dist/{peer,relay,src}/**/*.js', { cwd: ROOT, exclude: ['dist/*/bin/*'] })
    assert.ok(files.length > 100, String(files.length))
    for (const file of files)
      assert.doesNotMatch(readFileSync(join(ROOT, file), 'utf8'), /from '[^']*programs\//, file)
  })

  it('have the licenses of all packages in them', () => {
    const licenses = readFileSync(join(ROOT, 'dist/programs/LICENSES.txt'), 'utf8')
    const maps = globSync('dist/programs/*.map', { cwd: ROOT }).map(it =>
      readFileSync(join(ROOT, it), 'utf8'),
    )
    const sources = maps.flatMap(it => (JSON.parse(it) as { sources: string[] }).sources)
    const names = new Set(
      sources.flatMap(it => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(it)?.[1] ?? []),
    )
    assert.ok(names.size > 50, String(names.size))
    for (const name of names)
      assert.ok(licenses.includes(`\n${name} `) || licenses.startsWith(`${name} `), name)
  })
})

describe('a start', LIMIT, () => {
  for (const program of programs)
    it(`loads no libp2p node for the help of ${program}`, async () => {
      const { stderr } = await run(['--import', TRACE, `${program}.ts`, '--help'])
      const loaded = stderr.split('\n').filter(it => it.startsWith('loads '))
      assert.ok(loaded.some(it => it.includes('commander')))
      const heavy =
        /node_modules\/(libp2p|ws|yaml|prom-client|@chainsafe\/libp2p-\w+|@libp2p\/(websockets|tls|tcp|identify))\//
      assert.deepEqual(
        loaded.filter(it => heavy.test(it)),
        [],
      )
    })

  it('of a peer that dials over TCP loads no node:http', async () => {
    const dial = ['forward', PEER, 'ssh', '--stdio', '--relay', CLOSED_RELAY, '--timeout', '1s']
    const { code, stderr } = await run(['--import', TRACE, peer, ...dial])
    assert.equal(code, 4, stderr)
    assert.match(stderr, /^has NativeModule net$/m)
    assert.doesNotMatch(stderr, /^has NativeModule https?$/m)
  })

  it('of a peer that dials a WebSocket loads node:http', async () => {
    const relay = `/ip4/127.0.0.1/tcp/1/ws/p2p/${PEER}`
    const dial = ['forward', PEER, 'ssh', '--stdio', '--relay', relay, '--timeout', '1s']
    const { code, stderr } = await run(['--import', TRACE, peer, ...dial])
    assert.equal(code, 4, stderr)
    assert.match(stderr, /^has NativeModule http$/m)
  })

  it('of a listener loads no node:http until the node is asked', async () => {
    const options = ['--relay', CLOSED_RELAY, '--data-dir', join(directory, 'listener'), '--json']
    const { stderr } = await run(['--import', TRACE, peer, 'listen', ...options], {
      stopAt: 'reservation:failed',
    })
    assert.match(stderr, /^has NativeModule net$/m)
    assert.doesNotMatch(stderr, /^has NativeModule https?$/m)
  })
})
