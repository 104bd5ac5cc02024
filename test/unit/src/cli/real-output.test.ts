/** Output of real processes: full disks, readers that do not read, terminals that are stopped. None stops the program. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MAX_WAITING_BYTES } from '../../../../src/cli/pipe-safe-output.ts'
import { SmallDisk, cannotMount } from '../../../network/small-disk.ts'
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'

const TALKER = fileURLToPath(new URL('talker.ts', import.meta.url))
const TERMINAL = fileURLToPath(new URL('terminal.py', import.meta.url))
const LINUX = { skip: process.platform !== 'linux', timeout: 60_000 }
const ON_DISK = { skip: cannotMount, timeout: 60_000 }
const AT_TERMINAL = { skip: process.platform !== 'linux' || !hasPython(), timeout: 60_000 }

/** More than lies outside the queue: in the pipe of the kernel, in the stream of Node.js that writes, and in the one that reads. */
const PIPE_BYTES = 1024 * 1024

type Where = 'pipe' | number

interface Line {
  event: string
  n?: number
  count?: number
  stream?: string
  reason?: string
}

/** A talker, and the proof that it is alive. */
class Talker {
  readonly child: ChildProcess
  beats = ''

  constructor(t: TestContext, stdout: Where, stderr: Where, args: string[], via: string[] = []) {
    const [command = '', ...rest] = [...via, process.execPath, TALKER, 'talk', ...args]
    this.child = spawn(command, rest, { stdio: ['pipe', stdout, stderr, 'pipe'] })
    t.after(async () => this.kill())
    ;(this.child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
      this.beats += text
      this.child.emit('beat')
    })
  }

  get stdin(): Writable {
    return this.child.stdin as Writable
  }

  get stdout(): Readable {
    return this.child.stdout as Readable
  }

  get stderr(): Readable {
    return this.child.stderr as Readable
  }

  /** Resolves once it has said all, and has been alive for a while after that. */
  async spoken(): Promise<void> {
    await this.#until(() => this.beats.includes('done'))
    await this.alive()
  }

  /** Resolves when its timer has fired ten more times. */
  async alive(): Promise<void> {
    const { length } = this.beats
    await this.#until(() => this.beats.length >= length + 10)
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.ended()
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode
    const [code] = (await once(this.child, 'exit', { signal: AbortSignal.timeout(20_000) })) as [
      number | null,
    ]
    return code
  }

  async #until(holds: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(20_000)
    while (!holds()) await once(this.child, 'beat', { signal })
  }
}

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pty'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function linesOf(text: string): Line[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole')
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)
}

/** Asserts that every event is there, in order, or counted as dropped; tells how many were dropped. */
function assertComplete(lines: readonly Line[], events: number): number {
  let next = 0
  let dropped = 0
  for (const line of lines)
    if (line.event === 'talk') assert.equal(line.n, next++)
    else if (line.event === 'output:dropped') {
      next += line.count ?? 0
      dropped += line.count ?? 0
    }
  assert.equal(next, events)
  return dropped
}

function openFile(t: TestContext, path: string): number {
  const fd = openSync(path, 'a')
  t.after(() => closeSync(fd))
  return fd
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-output-'))
  t.after(async () => rm(path, { recursive: true, force: true }))
  return path
}

/** More than wait, and fewer. */
const [MANY, SOME] = [100_000, 10_000]

describe('a file', () => {
  test('that takes everything has every event when the program has ended', LINUX, async t => {
    const path = join(await directory(t), 'log')
    const talker = new Talker(t, openFile(t, path), 'pipe', ['--json', '--events', String(SOME)])
    assert.equal(await talker.ended(), 0)
    assert.equal(assertComplete(linesOf(readFileSync(path, 'utf8')), SOME), 0)
  })

  test('that stdout and stderr share keeps the order of both', LINUX, async t => {
    const path = join(await directory(t), 'log')
    const fd = openFile(t, path)
    await new Talker(t, fd, fd, ['--events', '50', '--notes', '50']).ended()
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    const order = lines.map(line => line.split(' ', 2).join(' '))
    assert.deepEqual(order, Array.from({ length: 50 }, (_, n) => [`talk ${n}`, `note ${n}`]).flat())
  })

  test('on a full device stops no program, and is reported once', LINUX, async t => {
    const talker = new Talker(t, openFile(t, '/dev/full'), 'pipe', ['--json', '--events', '500', '--stay'])
    const stderr = buffer(talker.stderr)
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
    const text = (await stderr).toString()
    assert.equal(text.split('warning: Cannot write to stdout: ENOSPC').length, 2, text)
  })

  test('on a full device is the error of a program that ends by itself', LINUX, async t => {
    const talker = new Talker(t, openFile(t, '/dev/full'), 'pipe', ['--json', '--events', '1'])
    const stderr = buffer(talker.stderr)
    assert.equal(await talker.ended(), 1)
    assert.match((await stderr).toString(), /error: Cannot write to stdout: ENOSPC\n$/)
  })

  test('on a disk that fills gets the rest when there is space, with no line torn', ON_DISK, async t => {
    const disk = await SmallDisk.mount(t, '256k')
    const path = join(disk.path, 'log')
    const file = openFile(t, path)
    disk.fill()
    const talker = new Talker(t, file, 'pipe', ['--json', '--events', '800', '--stay'])
    await talker.spoken()
    disk.free()
    // it is tried again after a second
    for (let n = 0; n < 8; n += 1) await talker.alive()
    assert.equal(await talker.stop(), 143)
    assert.equal(assertComplete(linesOf(readFileSync(path, 'utf8')), 800), 0)
  })

  test('on a disk that stays full for long says how many lines are missing', ON_DISK, async t => {
    const disk = await SmallDisk.mount(t, '32m')
    const path = join(disk.path, 'log')
    const file = openFile(t, path)
    disk.fill()
    const talker = new Talker(t, file, 'pipe', ['--json', '--events', String(MANY), '--stay'])
    await talker.spoken()
    disk.free()
    for (let n = 0; n < 8; n += 1) await talker.alive()
    assert.equal(await talker.stop(), 143)
    const lines = linesOf(readFileSync(path, 'utf8'))
    const dropped = assertComplete(lines, MANY)
    assert.ok(dropped > MANY / 5 && dropped < MANY, String(dropped))
    assert.equal(lines.filter(it => it.event === 'output:dropped').length, 1)
  })

  test('under a limit on its size stops no program', LINUX, async t => {
    const path = join(await directory(t), 'log')
    const args = ['--json', '--events', '800', '--stay']
    const talker = new Talker(t, openFile(t, path), 'pipe', args, ['prlimit', '--fsize=8192'])
    const stderr = buffer(talker.stderr)
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
    assert.match((await stderr).toString(), /^warning: Cannot write to stdout: EFBIG/)
  })

  test('for stderr that is full is reported on stdout', LINUX, async t => {
    const args = ['--json', '--notes', '50', '--stay']
    const talker = new Talker(t, 'pipe', openFile(t, '/dev/full'), args)
    const stdout = buffer(talker.stdout)
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
    const failed = linesOf((await stdout).toString()).filter(it => it.event === 'output:failed')
    assert.deepEqual(
      failed.map(({ stream, reason }) => [stream, reason]),
      [['stderr', 'ENOSPC']],
    )
  })

  test('for stdout and one for stderr may both be full', LINUX, async t => {
    const full = openFile(t, '/dev/full')
    const talker = new Talker(t, full, full, ['--events', '500', '--notes', '500', '--stay'])
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
  })
})

describe('a pipe', () => {
  test(
    'that nobody reads holds back a bounded number of events, and says how many are missing',
    LINUX,
    async t => {
      const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--events', String(MANY), '--stay'])
      const stderr = buffer(talker.stderr)
      await talker.spoken()
      const stdout = buffer(talker.stdout)
      await talker.alive()
      assert.equal(await talker.stop(), 143)
      const text = (await stdout).toString()
      assert.ok(text.length < MAX_WAITING_BYTES + PIPE_BYTES, String(text.length))
      assert.ok(assertComplete(linesOf(text), MANY) > 0)
      assert.match((await stderr).toString(), /^warning: Nobody reads stdout\./)
    },
  )

  test('that is read again gets new events', LINUX, async t => {
    const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--events', String(MANY), '--stay'])
    talker.stderr.resume()
    await talker.spoken()
    const stdout = buffer(talker.stdout)
    await talker.alive()
    talker.stdin.write('?\n')
    await talker.alive()
    await talker.stop()
    const events = linesOf((await stdout).toString()).map(it => it.event)
    assert.deepEqual(events.slice(-2), ['output:dropped', 'asked'])
  })

  test('that nobody reads does not keep a stopped program', LINUX, async t => {
    const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--events', String(MANY), '--stay'])
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
  })

  test('for stderr that nobody reads stops no program, and is reported on stdout', LINUX, async t => {
    const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--notes', String(MANY), '--stay'])
    const stdout = buffer(talker.stdout)
    await talker.spoken()
    assert.equal(await talker.stop(), 143)
    const failed = linesOf((await stdout).toString()).filter(it => it.event === 'output:failed')
    assert.deepEqual(
      failed.map(({ stream, reason }) => [stream, reason]),
      [['stderr', 'not read']],
    )
  })

  test(
    'that stdout and stderr share and nobody reads keeps the order of both, and says how many are missing',
    LINUX,
    async t => {
      const args = ['--json', '--events', String(MANY), '--notes', String(MANY), '--stay']
      const talker = new Talker(t, 'pipe', 'pipe', args, ['sh', '-c', 'exec "$0" "$@" 2>&1'])
      await talker.spoken()
      const stdout = buffer(talker.stdout)
      await talker.alive()
      assert.equal(await talker.stop(), 143)
      const text = (await stdout).toString()
      assert.ok(text.length < MAX_WAITING_BYTES + PIPE_BYTES, String(text.length))
      const lines = text.split('\n').slice(0, -1)
      const [marker = '', ...after] = lines.splice(lines.findIndex(it => it.includes('output:dropped')))
      for (const [n, line] of lines.entries())
        assert.ok(line.includes(n % 2 === 0 ? `"n":${n / 2},` : `note ${(n - 1) / 2} `), line)
      assert.equal(lines.length + (JSON.parse(marker) as Line).count!, 2 * MANY)
      assert.equal(after.length, 1)
      assert.match(after[0] ?? '', /^Stopping after SIGTERM/)
    },
  )

  test('whose reader is slow gets every event of a program that ends by itself', LINUX, async t => {
    const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--events', String(SOME)])
    await new Promise(resolve => setTimeout(resolve, 1_000))
    assert.equal(assertComplete(linesOf((await buffer(talker.stdout)).toString()), SOME), 0)
    assert.equal(await talker.ended(), 0)
  })

  test('whose reader leaves ends the program quietly', LINUX, async t => {
    const talker = new Talker(t, 'pipe', 'pipe', ['--json', '--events', '1', '--stay'])
    const stderr = buffer(talker.stderr)
    await talker.spoken()
    talker.stdout.destroy()
    talker.stdin.write('?\n')
    assert.equal(await talker.ended(), 0)
    assert.equal((await stderr).toString(), '')
  })
})

/** A talker at a terminal. */
class TerminalTalker extends Talker {
  shown = ''

  constructor(t: TestContext, args: string[], uid = 0) {
    super(t, 'pipe', 'inherit' as never, args, ['python3', TERMINAL, String(uid)])
    this.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text
      this.child.emit('shown')
    })
  }

  /** The program at the terminal ends with the terminal. */
  override async kill(): Promise<void> {
    this.stdin.end()
    await this.ended()
  }

  async shows(text: string): Promise<void> {
    const signal = AbortSignal.timeout(20_000)
    while (!this.shown.includes(text)) await once(this.child, 'shown', { signal })
  }

  command(text: string): void {
    this.stdin.write(`${text}\n`)
  }
}

describe('a terminal', () => {
  test('that nobody reads stops no program, and shows everything when it is read', AT_TERMINAL, async t => {
    const talker = new TerminalTalker(t, ['--json', '--events', '1000', '--stay'])
    await talker.spoken()
    talker.command('read')
    await talker.shows('"n":999,')
    await talker.alive()
    const lines = linesOf(talker.shown.replaceAll('\r\n', '\n'))
    assert.equal(assertComplete(lines, 1000), 0)
  })

  test('that nobody reads for long shows how many lines are missing', AT_TERMINAL, async t => {
    const talker = new TerminalTalker(t, ['--events', String(MANY), '--stay'])
    await talker.spoken()
    talker.command('read')
    await talker.shows('lines were dropped here')
  })

  test('that is stopped by Ctrl-S stops no program, and goes on after Ctrl-Q', AT_TERMINAL, async t => {
    const talker = new TerminalTalker(t, ['--stay'])
    talker.command('read')
    await talker.spoken()
    talker.command('stop')
    talker.command('ask')
    await talker.alive()
    assert.ok(!talker.shown.includes('asked'), talker.shown)
    talker.command('start')
    await talker.shows('asked')
  })

  test('of another user stops no program either', {
    ...AT_TERMINAL,
    skip: cannotMount ?? AT_TERMINAL.skip,
  }, async t => {
    const talker = new TerminalTalker(t, ['--events', '1000', '--stay'], 65_534)
    await talker.spoken()
    talker.command('read')
    await talker.shows('talk 999 ')
  })

  test('that is gone stops no program that reloads on SIGHUP', AT_TERMINAL, async t => {
    const talker = new TerminalTalker(t, ['--events', '10', '--stay'])
    talker.command('read')
    await talker.shows('talk 9 ')
    talker.command('close')
    for (let n = 0; n < 3; n += 1) await talker.alive()
    assert.equal(talker.child.exitCode, null)
  })
})
