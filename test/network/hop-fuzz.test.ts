/**
 * What the relay makes of thousands of frames that are nearly right: an answer or a reset for each, and in the end it holds nothing.
 *
 * `FUZZ_SEED=n` sends the same ones again. The runner fails a test during which a rejection goes unhandled.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { mutated } from '../fuzz/frames.ts'
import {
  connectTo,
  field,
  framed,
  openHop,
  readAnswer,
  RESERVE,
  startClient,
  startMember,
  startVisitor,
  STOP,
  STOP_OK,
} from './hop-client.ts'
import { assertNothingHeld, startStage } from './hop-stage.ts'
import type { Stream } from '@libp2p/interface'
import type { Member } from './hop-client.ts'

const LIMIT = { timeout: 110_000 }
const STATUSES = [100, 200, 201, 202, 203, 204, 400, 401]

/** Frames at each step. */
const FRAMES = 5100
const BATCH = 50
/** Frames of one connection. */
const PER_CONNECTION = 300

/** Names everyone: what counts here is the frames, and not how many of them a stranger may send in a second. */
const NAMED = { mayReserve: () => undefined, mayConnect: () => undefined, isNamed: () => true }

/** Sends bytes and tells what came of it: a status, or the way the stream ended. */
async function outcomeOf(stream: Stream, bytes: Uint8Array): Promise<number | string> {
  const answer = readAnswer(stream).then(
    ({ status }) => status ?? 'no status',
    (error: unknown) => (error as Error).name,
  )
  try {
    stream.send(bytes)
    // what is cut short stays so
    await stream.close()
  } catch {
    // the relay was faster
  }
  return await answer
}

describe('fuzzed frames', () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)

  it('as hop requests are each answered or reset', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, {
      reservationsPerSecondPerIp: Infinity,
      circuitsPerSecondPerIp: Infinity,
      admission: NAMED,
    })
    const target = await startClient(t)
    const valid = [RESERVE, connectTo(target.peerId), framed(Buffer.concat([field(1, 2), field(5, 100)]))]
    const seen = new Map<number | string, number>()
    let hostile: Member | undefined
    for (let sent = 0; sent < FRAMES; sent += BATCH) {
      if (sent % PER_CONNECTION === 0) {
        await hostile?.node.stop()
        hostile = await startVisitor(t, relay)
      }
      const { connection } = hostile as Member
      const frames = fc.sample(mutated(valid), { seed: seed + sent, numRuns: BATCH })
      const outcomes = await Promise.all(
        frames.map(async frame => outcomeOf(await openHop(connection), frame)),
      )
      for (const [n, outcome] of outcomes.entries()) {
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
        const isExpected =
          typeof outcome === 'number' ? STATUSES.includes(outcome) : outcome === 'StreamResetError'
        assert.ok(isExpected, `FUZZ_SEED=${seed}: ${outcome} to ${frames[n]?.toString('hex')}`)
      }
      assert.equal(connection.status, 'open', `FUZZ_SEED=${seed}`)
      await innocents.carry()
    }
    for (const status of [100, 204, 400, 401])
      assert.ok(seen.has(status), `FUZZ_SEED=${seed}: never ${status}`)
    await hostile?.node.stop()
    await assertNothingHeld(relay, innocents)
  })

  it('as answers of a responder open a circuit only where they say OK', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, { circuitsPerSecondPerIp: Infinity, admission: NAMED })
    const valid = [STOP_OK, framed(Buffer.concat([field(1, 1), field(4, 203)])), RESERVE]
    const seen = new Map<number | string, number>()
    const visitor = await startVisitor(t, relay)
    const responder = await startMember(t, relay)
    let answers: Buffer[] = []
    const onCall = async (stream: Stream): Promise<void> => {
      try {
        stream.send(answers.pop() ?? STOP_OK)
        await stream.close()
      } catch {
        // the relay was faster
      }
    }
    await responder.node.handle(STOP, onCall, { maxInboundStreams: Infinity })
    const request = connectTo(responder.node.peerId)
    for (let sent = 0; sent < FRAMES; sent += BATCH) {
      answers = fc.sample(mutated(valid), { seed: seed + sent, numRuns: BATCH })
      const streams = await Promise.all(
        Array.from({ length: BATCH }, async () => openHop(visitor.connection)),
      )
      for (const stream of streams) {
        stream.send(request)
      }
      const outcomes = await Promise.all(streams.map(async stream => readAnswer(stream)))
      for (const { status, stream } of outcomes) {
        seen.set(status ?? 'none', (seen.get(status ?? 'none') ?? 0) + 1)
        assert.ok(status === 100 || status === 203, `FUZZ_SEED=${seed}: ${status}`)
        if (status === 100) stream.abort(new Error('enough'))
        else await stream.close()
      }
      await innocents.carry()
    }
    assert.deepEqual(new Set(seen.keys()), new Set([100, 203]), `FUZZ_SEED=${seed}`)
    assert.equal(responder.connection.status, 'open', `FUZZ_SEED=${seed}`)
    await Promise.all([visitor.node.stop(), responder.node.stop()])
    await assertNothingHeld(relay, innocents)
  })
})
