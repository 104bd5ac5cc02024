/** `throughnat status`, of a node that is a control socket and nothing else. */

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { WriteStream } from 'node:tty'
import { status } from '../../../../peer/commands/status.ts'
import { serveControl } from '../../../../peer/control/server.ts'
import { RecordingStream, StuckStream, runFake } from '../../src/cli/fake-process.ts'
import { once, untilEvent } from '../../../waits.ts'
import type { TestContext } from 'node:test'
import type { StatusSnapshot } from '../../../../peer/status/node-status.ts'
import type { Ran } from '../../src/cli/fake-process.ts'

const snapshot: StatusSnapshot = {
  peerId: 'ME',
  version: '0.1.0',
  startedAt: 0,
  uptimeMs: 5_000,
  addrs: [],
  relays: [],
  peers: [],
  services: [],
  forwards: [],
}

/** The variables that decide about colours, from `environment` alone while a test runs. */
function setColours(t: TestContext, environment: Record<string, string>): void {
  const before = { ...process.env }
  t.after(() => {
    process.env = before
  })
  // what runs the tests (CI, a terminal multiplexer) decides about colours, too
  const { HOME = '', PATH = '' } = process.env
  process.env = { HOME, PATH, TERM: 'xterm-256color', ...environment }
}

/** Like a terminal, which knows of colours what Node's own does. */
class FakeTerminal extends RecordingStream {
  readonly isTTY = true
  getColorDepth(): number {
    return WriteStream.prototype.getColorDepth.call(this as unknown as WriteStream)
  }
}

/** A node; `asked` is emitted with the number of each request. */
async function startNode(
  t: TestContext,
): Promise<{ dataDir: string; asked: EventEmitter; stop: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(dataDir, { recursive: true, force: true }))
  const asked = new EventEmitter()
  let count = 0
  const server = await serveControl(dataDir, {
    'GET /status': () => {
      asked.emit('asked', ++count)
      return snapshot
    },
  })
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopping ??= Promise.resolve(server[Symbol.asyncDispose]())
    await stopping
  }
  t.after(stop)
  return { dataDir, asked, stop }
}

async function run(
  dataDir: string,
  args: string[],
  stdout: RecordingStream,
  signals = new EventEmitter(),
): Promise<Ran> {
  return runFake(['status', '--data-dir', dataDir, ...args], { commands: [status], stdout, signals })
}

/** Resolves when the node has been asked so many times. */
async function askedTimes(asked: EventEmitter, times: number): Promise<void> {
  let count = 0
  asked.on('asked', () => count++)
  await untilEvent(asked, 'asked', () => count >= times, `the node is asked ${times} times`)
}

test('a terminal gets colours, and neither a pipe nor who wants none does', async t => {
  const { dataDir } = await startNode(t)
  setColours(t, {})
  assert.ok((await run(dataDir, [], new FakeTerminal())).stdout.includes('\u001b[1mRelays'))
  setColours(t, { NO_COLOR: '1' })
  assert.ok(!(await run(dataDir, [], new FakeTerminal())).stdout.includes('\u001b'))
  setColours(t, { FORCE_COLOR: '1' })
  assert.ok(!(await run(dataDir, [], new RecordingStream())).stdout.includes('\u001b'))
})

for (const { where, stdout, start } of [
  {
    where: 'on a terminal each look is drawn over the last',
    stdout: new FakeTerminal(),
    start: '\u001b[H\u001b[JME, ',
  },
  {
    where: 'in a pipe each look is a whole report',
    stdout: new RecordingStream(),
    start: 'ME, ',
  },
])
  test(`under --watch, ${where}, until Ctrl-C`, async t => {
    const { dataDir, asked } = await startNode(t)
    setColours(t, { NO_COLOR: '1' })
    const signals = new EventEmitter()
    const asking = askedTimes(asked, 3)
    const running = run(dataDir, ['--watch', '--interval', '100ms'], stdout, signals)
    await asking
    signals.emit('SIGINT')
    const { code, stderr } = await running
    assert.equal(code, 130)
    assert.ok(!stderr.includes('error'), stderr)
    assert.ok(stdout.text.split(start).length > 2, stdout.text)
  })

test('under --json each look is one event', async t => {
  const { dataDir } = await startNode(t)
  const { stdout } = await run(dataDir, ['--json'], new RecordingStream())
  const { event, at, ...fields } = JSON.parse(stdout) as Record<string, unknown>
  assert.equal(event, 'status')
  assert.equal(typeof at, 'number')
  assert.deepEqual(fields, snapshot)
})

test('a node that stops while it is watched is told, with exit code 4', async t => {
  const { dataDir, asked, stop } = await startNode(t)
  const first = once(asked, 'asked')
  const running = run(dataDir, ['--watch', '--interval', '100ms'], new RecordingStream())
  await first
  await stop()
  const { code, stderr } = await running
  assert.equal(code, 4)
  assert.match(stderr, /No node runs with the data directory/)
})

test('--watch asks no more where nobody reads, and ends by a signal', { timeout: 20_000 }, async t => {
  const { dataDir, asked } = await startNode(t)
  const [signals, stdout] = [new EventEmitter(), new StuckStream()]
  let requests = 0
  asked.on('asked', () => {
    requests += 1
  })
  const running = run(dataDir, ['--watch', '--interval', '100ms'], stdout, signals)
  await once(asked, 'asked')
  await new Promise(resolve => setTimeout(resolve, 1_000))
  assert.equal(requests, 1)
  stdout.release()
  await once(asked, 'asked')
  signals.emit('SIGTERM')
  assert.equal((await running).code, 143)
})
