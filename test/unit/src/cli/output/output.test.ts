/** Output: JSON lines, what goes to which stream, readers that leave, and writers that wait. */

import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { jsonLine } from '../../../../../src/cli/output/json-line.ts'
import type { Output } from '../../../../../src/cli/output/output.ts'
import { createOutput } from '../../../../../src/cli/output/output.ts'
import { MAX_WAITING_BYTES } from '../../../../../src/cli/output/pipe-safe-output.ts'
import { examplePeerId } from '../../../../../src/config/kinds/address-kinds.ts'
import { inTime, once, turns } from '../../../../waits.ts'
import { ClosingStream, RecordingStream, StuckStream } from '../fake-process.ts'

function create(json: boolean): { output: Output; stdout: RecordingStream; stderr: RecordingStream } {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()]
  return { output: createOutput({ json, stdout, stderr, now: () => 42 }), stdout, stderr }
}

test('under --json an event is one line that starts with event and at', () => {
  const { output, stdout } = create(true)
  output.event('pong', { seq: 1, text: 'a\nb', at: 'mine', event: 'mine' }, 'pong 1')
  output.event('summary', {})
  assert.equal(stdout.text, '{"event":"pong","at":42,"seq":1,"text":"a\\nb"}\n{"event":"summary","at":42}\n')
})

test('without --json an event is its sentence, or nothing', () => {
  const { output, stdout } = create(false)
  output.event('pong', { seq: 1 }, 'pong 1')
  output.event('summary', {})
  assert.equal(stdout.text, 'pong 1\n')
})

test('notes and problems go to stderr in either mode', () => {
  for (const json of [true, false]) {
    const { output, stdout, stderr } = create(json)
    output.note('wait')
    output.problem(Object.assign(new Error('no way'), { name: 'UnreachableError' }))
    assert.equal(stdout.text, '')
    assert.equal(stderr.text, 'wait\nerror: no way\n')
  }
})

test('once stdout is claimed for data, events go to stderr', () => {
  const { output, stdout, stderr } = create(true)
  output.claimStdout().write('data')
  output.event('path:changed', {})
  assert.equal(stdout.text, 'data')
  assert.equal(stderr.text, '{"event":"path:changed","at":42}\n')
})

test('once stdout is claimed for data, people read errors only', () => {
  const { output, stdout, stderr } = create(false)
  output.note('before')
  output.claimStdout().write('data')
  output.event('path:changed', {}, 'is direct now')
  output.note('after')
  output.problem(Object.assign(new Error('no way'), { name: 'UnreachableError' }))
  assert.deepEqual([stdout.text, stderr.text], ['data', 'before\nerror: no way\n'])
})

for (const [quiet, texts] of [
  [undefined, ['pong\ntext\n', 'note\nerror: no way\n']],
  ['notes', ['pong\ntext\n', 'error: no way\n']],
  ['notes and events', ['text\n', 'error: no way\n']],
] as const)
  test(`an output without ${quiet ?? 'anything left out'} has the rest`, () => {
    const [stdout, stderr] = [new RecordingStream(), new RecordingStream()]
    const output = createOutput({ json: false, stdout, stderr, quiet })
    output.event('pong', {}, 'pong')
    output.note('note')
    output.text('text')
    output.problem(Object.assign(new Error('no way'), { name: 'UnreachableError' }))
    assert.deepEqual([stdout.text, stderr.text], texts)
  })

test('an output without notes and events has events under --json', () => {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()]
  createOutput({ json: true, stdout, stderr, quiet: 'notes and events', now: () => 42 }).event(
    'pong',
    {},
    'pong',
  )
  assert.equal(stdout.text, '{"event":"pong","at":42}\n')
})

test('whatever a field holds, it becomes JSON', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const fields = {
    big: 2n ** 70n,
    date: new Date(0),
    never: new Date(Number.NaN),
    addr: multiaddr('/ip4/192.0.2.1/tcp/1'),
    peers: [peerIdFromString(examplePeerId)],
    failure: new TypeError('x'),
    set: new Set([1n]),
    nested: { url: new URL('http://a.example/'), none: null },
    nan: Number.NaN,
    absent: undefined,
    symbol: Symbol('s'),
    work: () => 1,
    circular,
    get broken(): never {
      throw new Error('x')
    },
  }
  const { broken: _, ...rest } = Object.getOwnPropertyDescriptors(fields)
  const line = JSON.parse(jsonLine('x', 1, Object.defineProperties({}, rest) as Record<string, unknown>))
  assert.equal(typeof line.circular, 'object')
  delete line.circular
  assert.deepEqual(line, {
    event: 'x',
    at: 1,
    big: '1180591620717411303424',
    date: '1970-01-01T00:00:00.000Z',
    never: null,
    addr: '/ip4/192.0.2.1/tcp/1',
    peers: [examplePeerId],
    failure: 'TypeError: x',
    set: ['1'],
    nested: { url: 'http://a.example/', none: null },
    nan: null,
    symbol: 'Symbol(s)',
  })
})

test('a field that cannot be read does not cost the line', () => {
  const hostile = {
    get deep(): never {
      throw new RangeError('x')
    },
  }
  assert.equal(
    jsonLine('x', 1, { hostile, n: 1 }),
    '{"event":"x","at":1,"hostile":"(unreadable: RangeError)","n":1}',
  )
})

test('every line of many events is JSON on its own', () => {
  const { output, stdout } = create(true)
  for (let code = 0; code < 0x300; code += 1) output.event('x', { text: String.fromCodePoint(code) })
  assert.equal(stdout.lines.length, 0x300)
  for (const [code, line] of stdout.lines.entries())
    assert.equal(JSON.parse(line).text, String.fromCodePoint(code))
})

test('when the reader leaves, writing goes on without effect and flushing ends', async () => {
  const stdout = new ClosingStream(1)
  const output = createOutput({ json: false, stdout, stderr: new RecordingStream() })
  output.event('a', {}, 'first')
  assert.equal(output.readerGone.aborted, false)
  output.event('b', {}, 'second')
  await once(output.readerGone, 'abort')
  output.event('c', {}, 'third')
  await output.flush()
  assert.equal(stdout.text, 'first\n')
})

test('a stream that was destroyed is a reader that left', async () => {
  const stdout = new RecordingStream()
  const output = createOutput({ json: false, stdout, stderr: new RecordingStream() })
  stdout.destroy()
  output.event('a', {}, 'first')
  await output.flush()
  assert.equal(stdout.text, '')
})

test('what nobody takes is bounded; a line says how many are missing, and the error of the end is kept', async () => {
  const stuck = new StuckStream()
  const stderr = new RecordingStream()
  const output = createOutput({ json: true, stdout: stuck, stderr, now: () => 42 })
  const text = 'x'.repeat(10_000)
  for (let n = 0; n < 5_000; n += 1) output.event('n', { n, text })
  output.text('asked for')
  assert.ok(stuck.writableLength < 100_000, String(stuck.writableLength))
  assert.match(stderr.text, /^warning: Nobody reads stdout\.[^\n]*\n$/)
  stuck.release()
  await output.flush()
  const lines = stuck.text.split('\n').slice(0, -1)
  assert.equal(lines.pop(), 'asked for')
  const { event, count } = JSON.parse(lines.pop() ?? '')
  assert.equal(event, 'output:dropped')
  assert.equal(lines.length + count, 5_000)
  assert.ok(lines.length < 1_700 && lines.length > 1_500, String(lines.length))
  output.event('after', {})
  assert.match(stuck.text, /"after","at":42}\n$/)
})

test('one text that is longer than the bound is written whole', async () => {
  const stdout = new StuckStream()
  const output = createOutput({ json: true, stdout, stderr: new RecordingStream() })
  output.event('status', { text: 'x'.repeat(2 * MAX_WAITING_BYTES) })
  stdout.release()
  await output.flush()
  assert.ok(stdout.text.length > 2 * MAX_WAITING_BYTES)
})

test('flushing waits until a slow reader has everything', async () => {
  const waiting: (() => void)[] = []
  let received = ''
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      waiting.push(() => {
        received += chunk.toString()
        done()
      })
    },
  })
  const output = createOutput({ json: false, stdout: slow, stderr: new RecordingStream() })
  for (let n = 0; n < 100; n += 1) output.event('n', {}, String(n))
  let isFlushed = false
  const flushed = output.flush().then(() => {
    isFlushed = true
  })
  // lines may leave together, so there are 100 writes at most, and the empty write of the flush itself
  for (let n = 0; n <= 101 && !isFlushed; n += 1) {
    assert.ok(waiting.length > 0 || received.split('\n').length === 101)
    waiting.shift()?.()
    await turns(1)
  }
  await inTime(flushed, 'the flush ends when everything is received')
  assert.equal(received, Array.from({ length: 100 }, (_, n) => `${n}\n`).join(''))
})
