/** How a run ends: by itself, by an error, by a signal, by a reader that leaves. */

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { once, turns } from '../../../waits.ts'
import type { CommandContext } from '../../../../src/cli/command.ts'
import { examplePeerId } from '../../../../src/config/kinds/address-kinds.ts'
import { HolePunchFailedError, UnreachableError } from '../../../../src/errors.ts'
import { ClosingStream, RecordingStream, runFake } from './fake-process.ts'
import type { Work } from './ping-program.ts'
import { commands } from './ping-program.ts'

const stopped = async ({ signal }: CommandContext): Promise<void> => {
  if (!signal.aborted) await once(signal, 'abort')
}

describe('how a run ends', () => {
  const argv = ['ping', examplePeerId]

  test('an error of the command is told and mapped to its code', async () => {
    const cases: [error: unknown, code: number, stderr: RegExp][] = [
      [new UnreachableError('No way.'), 4, /^error: No way\.\n$/],
      [new HolePunchFailedError('refused', 'peer'), 5, /^error: No direct connection to peer \(refused\)/],
      [new TypeError('oops'), 1, /bug.*\nTypeError: oops\n\s+at /],
      [
        Object.assign(new Error('reset'), { name: 'StreamResetError' }),
        4,
        /^error: The connection was cut: the service, or/,
      ],
      ['thrown text', 1, /bug.*\n'thrown text'/],
      [Object.assign(new Error('aborted'), { name: 'AbortError' }), 4, /^error: aborted\n$/],
    ]
    for (const [error, code, stderr] of cases) {
      const ran = await runFake(argv, {
        commands: commands(() => {
          throw error
        }),
      })
      assert.equal(ran.code, code)
      assert.match(ran.stderr, stderr)
    }
  })

  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`the first ${name} aborts the signal, and the code is ${code}`, async () => {
      const signals = new EventEmitter()
      const work: Work = async context => {
        queueMicrotask(() => signals.emit(name))
        await stopped(context)
        assert.match(String(context.signal.reason), new RegExp(`AbortError: Stopped by ${name}`))
        context.output.event('stopped', {}, 'stopped')
      }
      const ran = await runFake(argv, { commands: commands(work), signals })
      assert.deepEqual([ran.code, ran.stdout, ran.exits], [code, 'got 1000\nstopped\n', []])
      assert.equal(signals.listenerCount(name), 0)
    })

    test(`a second ${name} exits at once with ${code}`, async () => {
      const signals = new EventEmitter()
      const work: Work = async context => {
        signals.emit('SIGINT')
        await stopped(context)
        signals.emit(name)
      }
      const ran = await runFake(argv, { commands: commands(work), signals })
      assert.deepEqual(ran.exits, [code])
    })
  }

  for (const [what, isOngoing, stdout] of [
    ['keeps the results of a command', false, 'got 1000\n'],
    ['leaves out the news of a command that runs until it is stopped', true, ''],
  ] as const)
    test(`--quiet ${what}, and leaves out the notes`, async () => {
      const [ping, ...others] = commands(({ output }) => {
        output.note('a hint')
        throw new UnreachableError('No way.')
      })
      const ran = await runFake([...argv, '--quiet'], { commands: [{ ...ping!, isOngoing }, ...others] })
      assert.deepEqual([ran.code, ran.stdout, ran.stderr], [4, stdout, 'error: No way.\n'])
    })

  test('--quiet can be set in a configuration and in the environment', async t => {
    const directory = await mkdtemp(join(tmpdir(), 'throughnat-quiet-'))
    t.after(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'quiet.yaml'), 'quiet: true\n')
    const { HOME } = process.env
    t.after(() => Object.assign(process.env, { HOME }))
    process.env['HOME'] = directory
    for (const env of [
      { THROUGHNAT_QUIET: 'true' },
      { THROUGHNAT_CONFIG: join(directory, 'quiet.yaml') },
      { THROUGHNAT_CONFIG: `"${directory}/quiet.yaml"\r` },
      { THROUGHNAT_CONFIG: '~/quiet.yaml' },
    ]) {
      const ran = await runFake(argv, { commands: commands(({ output }) => output.note('a hint')), env })
      assert.deepEqual([ran.code, ran.stderr], [0, ''])
    }
  })

  test('a SIGHUP that was ignored at the start stops nothing, and is logged', async () => {
    const signals = new EventEmitter()
    const work: Work = async context => {
      signals.emit('SIGHUP')
      assert.equal(context.signal.aborted, false)
      queueMicrotask(() => signals.emit('SIGTERM'))
      await stopped(context)
    }
    const ran = await runFake(argv, { commands: commands(work), signals, isHangupIgnored: true })
    assert.equal(ran.code, 143)
    assert.match(ran.stderr, /^SIGHUP is ignored.*\nStopping after SIGTERM/m)
    assert.deepEqual([signals.listenerCount('SIGHUP'), ran.exits], [0, []])
  })

  for (const [isTTY, stderr] of [
    [true, ''],
    [false, 'Stopping after SIGHUP; a second one stops immediately.\n'],
  ] as const)
    test(`a SIGHUP that stops is ${isTTY ? 'not reported on a terminal' : 'reported in a log'}`, async () => {
      const signals = new EventEmitter()
      const work: Work = async context => {
        queueMicrotask(() => signals.emit('SIGHUP'))
        await stopped(context)
      }
      const log = Object.assign(new RecordingStream(), { isTTY })
      const ran = await runFake(argv, { commands: commands(work), signals, stderr: log })
      assert.deepEqual([ran.code, log.text], [129, stderr])
    })

  test('a SIGHUP that comes before a command can reload waits until it can, and stops nothing', async () => {
    const signals = new EventEmitter()
    const work: Work = async ({ onReload, signal }) => {
      signals.emit('SIGHUP')
      await new Promise<void>(resolve => onReload(async () => resolve()))
      assert.equal(signal.aborted, false)
    }
    const reloading = commands(work).map(it => ({ ...it, reloads: true }))
    const ran = await runFake(argv, { commands: reloading, signals })
    assert.equal(ran.code, 0)
    assert.equal(signals.listenerCount('SIGHUP'), 0)
  })

  test('ending by throwing the abort is as good as returning', async () => {
    const signals = new EventEmitter()
    const work: Work = ({ signal }) => {
      signals.emit('SIGTERM')
      signal.throwIfAborted()
    }
    const ran = await runFake(argv, { commands: commands(work), signals })
    assert.equal(ran.code, 143)
    assert.doesNotMatch(ran.stderr, /error/)
  })

  test('an expected error on the way out is told and keeps the code of the signal; a bug keeps its own', async () => {
    for (const [error, code] of [
      [new UnreachableError('No way.'), 143],
      [new TypeError('oops'), 1],
    ] as const) {
      const signals = new EventEmitter()
      const work: Work = () => {
        signals.emit('SIGTERM')
        throw error
      }
      const ran = await runFake(argv, { commands: commands(work), signals })
      assert.equal(ran.code, code)
      assert.ok(ran.stderr.includes(error.message))
    }
  })

  test('a signal while output is still being flushed exits at once', async () => {
    const signals = new EventEmitter()
    const slow = new SlowStream()
    const running = runFake(argv, { commands: commands(), signals, stdout: slow })
    await slow.written
    // the command ends in the turn in which it writes, and then only the flush is left
    await turns(1)
    assert.equal(signals.listenerCount('SIGINT'), 1)
    signals.emit('SIGINT')
    slow.release()
    assert.deepEqual((await running).exits, [130])
  })

  test('a reader that leaves stops the command quietly with 0', async () => {
    const stdout = new ClosingStream(1)
    const work: Work = async context => {
      context.output.event('more', {}, 'more')
      await stopped(context)
      context.signal.throwIfAborted()
    }
    const ran = await runFake(argv, { commands: commands(work), stdout })
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'got 1000\n', ''])
  })

  for (const reason of ['ENOSPC', 'EDQUOT', 'EIO']) {
    test(`${reason} under stdout stops no command, and is the error of one that ends by itself`, async () => {
      const work: Work = async ({ signal, output }) => {
        await new Promise(resolve => setImmediate(resolve))
        assert.equal(signal.aborted, false)
        output.event('more', {}, 'more')
      }
      const ran = await runFake(argv, { commands: commands(work), stdout: new ClosingStream(0, reason) })
      assert.equal(ran.code, 1)
      const [warning = '', ...rest] = ran.stderr.split('\n')
      assert.ok(warning.startsWith(`warning: Cannot write to stdout: ${reason}.`), warning)
      assert.deepEqual(rest, [`error: Cannot write to stdout: ${reason}`, ''])
    })

    test(`${reason} under stdout leaves the exit code of a signal alone`, async () => {
      const signals = new EventEmitter()
      const work: Work = async context => {
        setImmediate(() => signals.emit('SIGTERM'))
        await stopped(context)
      }
      const stdout = new ClosingStream(0, reason)
      const ran = await runFake(argv, { commands: commands(work), signals, stdout })
      assert.deepEqual([ran.code, ran.exits], [143, []])
    })
  }

  test('a stopped program whose output nobody takes ends after a moment', { timeout: 10_000 }, async () => {
    const signals = new EventEmitter()
    const work: Work = async context => {
      setImmediate(() => signals.emit('SIGTERM'))
      await stopped(context)
    }
    const ran = await runFake(argv, { commands: commands(work), signals, stdout: new SlowStream() })
    assert.deepEqual([ran.code, ran.exits], [143, [143]])
  })

  test('the code of this process is left alone', () => assert.equal(process.exitCode, undefined))
})

/** A stream that holds its first write back until released. */
class SlowStream extends RecordingStream {
  readonly #started = Promise.withResolvers<void>()
  readonly #released = Promise.withResolvers<void>()

  get written(): Promise<void> {
    return this.#started.promise
  }

  release(): void {
    this.#released.resolve()
  }

  override _write(chunk: Buffer, encoding: string, done: (error?: Error | null) => void): void {
    this.#started.resolve()
    this.#released.promise.then(() => super._write(chunk, encoding, done), done)
  }
}
