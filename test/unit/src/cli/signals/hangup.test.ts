/** Whether SIGHUP was ignored when the program started. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isHangupIgnored } from '../../../../../src/cli/signals/hangup.ts'

const IGNORED = 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004602\n'
const NOT_IGNORED = IGNORED.replace('0001\n', '1000\n')
const stat = (session: number): string => `42 (a ) b) S 41 42 ${session} 34816 42 4194304`

const clues = (files: Record<string, string>, env: Record<string, string> = {}): boolean =>
  isHangupIgnored({ env, read: path => files[path], follow: path => files[path], parent: 41 })

describe('SIGHUP counts as ignored', () => {
  test('where the shell has started nohup', () => {
    assert.equal(clues({}, { _: '/usr/bin/nohup' }), true)
    assert.equal(clues({}, { _: 'nohup' }), true)
  })
  test('where the status of the process says so', () =>
    assert.equal(clues({ '/proc/self/status': IGNORED }), true))
  test('where the parent, of the same session, ignores it', () => {
    const files = { '/proc/41/status': IGNORED, '/proc/41/stat': stat(7), '/proc/self/stat': stat(7) }
    assert.equal(clues(files), true)
  })
  test('where standard input cannot be read', () => {
    assert.equal(clues({ '/proc/self/fdinfo/0': 'pos:\t0\nflags:\t0100001\nmnt_id:\t24\n' }), true)
  })
  test('where output goes to nohup.out, in whatever folder', () => {
    assert.equal(clues({ '/proc/self/fd/1': '/home/a/nohup.out' }), true)
    assert.equal(clues({ '/proc/self/fd/1': 'pipe:[7]', '/proc/self/fd/2': '/nohup.out' }), true)
  })
})

describe('SIGHUP does not count as ignored', () => {
  for (const [what, files, env] of [
    ['without any clue', {}, {}],
    ['after another program', {}, { _: '/usr/bin/node' }],
    ['where only other signals are ignored', { '/proc/self/status': NOT_IGNORED }, {}],
    [
      'where a multiplexer ignores it',
      { '/proc/41/status': IGNORED, '/proc/41/stat': stat(41), '/proc/self/stat': stat(42) },
      {},
    ],
    ['where the parent has gone', { '/proc/self/stat': stat(42) }, {}],
    ['where standard input is a file', { '/proc/self/fdinfo/0': 'pos:\t0\nflags:\t0100000\n' }, {}],
    ['where standard input is a terminal', { '/proc/self/fdinfo/0': 'pos:\t0\nflags:\t0100002\n' }, {}],
    ['where output goes to another file', { '/proc/self/fd/1': '/tmp/nohup.out.log' }, {}],
    [
      'where output goes to a terminal',
      { '/proc/self/fd/1': '/dev/pts/0', '/proc/self/fd/2': '/dev/pts/0' },
      {},
    ],
    ['where /proc is something else', { '/proc/self/status': 'nonsense', '/proc/self/fdinfo/0': '' }, {}],
  ] as const)
    test(what, () => assert.equal(clues(files, env), false))
})

describe('in a process', { skip: process.platform !== 'linux' && 'looks at /proc' }, () => {
  const script = fileURLToPath(new URL('hanging.ts', import.meta.url))
  /** What a process says that is started by a shell, and then gets SIGHUP. */
  const survives = async (command: string, env: NodeJS.ProcessEnv = {}): Promise<boolean> => {
    const shell = spawn('bash', ['-c', command], {
      env: { PATH: process.env['PATH'], NODE: process.execPath, SCRIPT: script, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    })
    const [line] = (await once(shell.stdout, 'data')) as [Buffer]
    const pid = Number(String(line).trim())
    process.kill(pid, 'SIGHUP')
    const [next] = (await Promise.race([once(shell.stdout, 'data'), once(shell, 'close')])) as [
      Buffer | number | null,
    ]
    const isAlive = String(next).startsWith('still here')
    if (isAlive) process.kill(pid, 'SIGKILL')
    return isAlive
  }
  const hasNohup = spawnSync('nohup', ['true'], { stdio: 'ignore' }).status === 0

  test('nohup keeps it alive', { skip: !hasNohup }, async () => {
    assert.equal(await survives('nohup "$NODE" "$SCRIPT"'), true)
  })
  test('nohup keeps a script and what it starts alive', { skip: !hasNohup }, async () => {
    assert.equal(await survives('nohup sh -c \'"$NODE" "$SCRIPT"; true\''), true)
  })
  test('nohup whose only trace is nohup.out keeps it alive', { skip: !hasNohup }, async t => {
    const folder = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
    t.after(() => rm(folder, { recursive: true }))
    // as in a background job of dash: no $_, and standard input is /dev/null
    const command = `env -u _ nohup "$NODE" "$SCRIPT" </dev/null >${folder}/nohup.out & tail -f ${folder}/nohup.out --pid $!`
    await writeFile(join(folder, 'nohup.out'), '')
    assert.equal(await survives(command), true)
  })
  test('a trap of the shell keeps it alive', async () => {
    assert.equal(await survives('trap "" HUP; "$NODE" "$SCRIPT"; true'), true)
  })
  test('nothing else keeps it alive', async () => {
    assert.equal(await survives('"$NODE" "$SCRIPT"; true'), false)
    assert.equal(await survives('exec "$NODE" "$SCRIPT"'), false)
  })
})
