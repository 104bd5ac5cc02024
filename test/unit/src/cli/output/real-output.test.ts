/** Output of real processes to full disks and to readers that do not read. Nothing stops the program. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { MAX_WAITING_BYTES } from '../../../../../src/cli/output/pipe-safe-output.ts'
import { SmallDisk } from '../../../../network/small-disk.ts'

import {
  arrived,
  assertComplete,
  directory,
  LINUX,
  linesOf,
  MANY,
  ON_DISK,
  openFile,
  PIPE_BYTES,
  SOME,
  Talker,
} from './talker-process.ts'
import type { Line } from './talker-process.ts'

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
    await arrived(talker.stdout, 'output:dropped')
    talker.stdin.write('?\n')
    await arrived(talker.stdout, 'asked')
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
      await arrived(talker.stdout, 'output:dropped')
      assert.equal(await talker.stop(), 143)
      const text = (await stdout).toString()
      assert.ok(text.length < MAX_WAITING_BYTES + PIPE_BYTES, String(text.length))
      const lines = text.split('\n').slice(0, -1)
      const [marker = '', ...after] = lines.splice(lines.findIndex(it => it.includes('output:dropped')))
      for (const [n, line] of lines.entries())
        assert.ok(line.includes(n % 2 === 0 ? `"n":${n / 2},` : `note ${(n - 1) / 2} `), line)
      // the warning that nobody reads is a line, too, and comes while nobody reads
      const count = lines.length + (JSON.parse(marker) as Line).count!
      assert.ok(count === 2 * MANY || count === 2 * MANY + 1, String(count))
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
