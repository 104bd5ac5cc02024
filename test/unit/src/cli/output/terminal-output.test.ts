/** Output of real processes to terminals that are stopped, gone, or not read. Nothing stops the program. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { cannotMount } from '../../../../network/small-disk.ts'
import type { TestContext } from 'node:test'

import { AT_TERMINAL, assertComplete, linesOf, MANY, Talker, TERMINAL } from './talker-process.ts'

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
