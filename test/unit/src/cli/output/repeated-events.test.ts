/** How many lines remotes can cause. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { createOutput } from '../../../../../src/cli/output/output.ts'
import { RecordingStream } from '../fake-process.ts'
import type { TestContext } from 'node:test'
import type { Output } from '../../../../../src/cli/output/output.ts'

interface Line {
  event: string
  reason?: string
  count?: number
  isRefresh?: boolean
  remoteAddr?: unknown
  peerId?: string
}

function create(t: TestContext, json = true): { output: Output; lines: () => Line[]; text: () => string } {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stdout = new RecordingStream()
  const output = createOutput({ json, stdout, stderr: new RecordingStream() })
  const lines = (): Line[] =>
    stdout.text
      .split('\n')
      .filter(it => it !== '')
      .map(it => JSON.parse(it) as Line)
  return { output, lines, text: () => stdout.text }
}

/** How many events the lines stand for. */
const totalOf = (lines: readonly Line[]): number => lines.reduce((sum, { count = 1 }) => sum + count, 0)

describe('refusals that repeat', () => {
  for (const [event, fields] of [
    ['service:refused', { peerId: 'one', service: '', reason: 'silent' }],
    ['reservation:refused', { peerId: 'one', remoteAddr: multiaddr('/ip4/192.0.2.1/tcp/1'), reason: 'full' }],
    ['circuit:refused', { remoteAddr: multiaddr('/ip6/2001:db8::1/tcp/1'), reason: 'too-many' }],
    ['reservation:granted', { peerId: 'one', isRefresh: true }],
  ] as const)
    it(`${event}: five are written, and the number of the rest once in 10 s`, t => {
      const { output, lines } = create(t)
      for (let n = 0; n < 4096; n++) output.event(event, fields)
      assert.deepEqual(
        lines().map(it => it.count),
        Array.from({ length: 5 }, () => undefined),
      )
      t.mock.timers.tick(10_000)
      assert.equal(lines().length, 6)
      assert.equal(lines()[5]?.count, 4091)
      assert.equal(lines()[5]?.event, event)
      assert.equal(lines()[5]?.reason, (fields as Partial<Line>).reason)
      // and the same for the next 10 s
      for (let n = 0; n < 7; n++) output.event(event, fields)
      t.mock.timers.tick(10_000)
      assert.deepEqual([lines().length, totalOf(lines())], [12, 4103])
    })

  it('are written for each reason and each network', t => {
    const { output, lines } = create(t)
    for (let n = 0; n < 100; n++)
      for (const reason of ['full', 'denied'])
        for (const ip of ['192.0.2.1', '192.0.2.2'])
          output.event('reservation:refused', { reason, remoteAddr: multiaddr(`/ip4/${ip}/tcp/${n + 1}`) })
    t.mock.timers.tick(10_000)
    assert.deepEqual([lines().length, totalOf(lines())], [24, 400])
  })

  it('of peers without end are bounded, and all are counted', t => {
    const { output, lines } = create(t)
    for (let n = 0; n < 10_000; n++)
      output.event('service:refused', { peerId: `made up ${n}`, reason: 'silent' })
    t.mock.timers.tick(10_000)
    assert.equal(totalOf(lines()), 10_000)
    assert.ok(lines().length <= 64 + 6, `${lines().length} lines`)
  })

  it('are counted in the sentence for people', t => {
    const { output, text } = create(t, false)
    for (let n = 0; n < 100; n++)
      output.event('service:refused', { peerId: 'one', reason: 'silent' }, 'Refused')
    t.mock.timers.tick(10_000)
    assert.equal(text(), `${'Refused\n'.repeat(5)}Refused (one of 95 within 10 s)\n`)
  })

  it('are written when the program ends', async t => {
    const { output, lines } = create(t)
    for (let n = 0; n < 100; n++) output.event('service:refused', { peerId: 'one', reason: 'silent' })
    await output.flush()
    assert.equal(totalOf(lines()), 100)
  })
})

describe('other events', () => {
  it('are all written', t => {
    const { output, lines } = create(t)
    for (let n = 0; n < 100; n++) {
      output.event('circuit:opened', { peerId: 'one' })
      output.event('reservation:granted', { peerId: 'one', isRefresh: false })
    }
    assert.equal(lines().length, 200)
  })
})
