import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StreamIntake } from '../../../../../src/patches/libp2p-utils/stream-intake.ts'
import { muxerPair, openStream } from '../libp2p-yamux/muxer-pair.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Stream } from '@libp2p/interface'
import type { End } from '../libp2p-yamux/muxer-pair.ts'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

/** The window of a new stream: as much may come in after a pause. */
const WINDOW_BYTES = 256 * 1024
const TOTAL_BYTES = 8 * WINDOW_BYTES

interface Intake {
  hold(): void
  release(): void
}

describe('@libp2p/utils', LIMIT, () => {
  it('goes on receiving when a stream is paused while it is resumed, which is the fault', async t => {
    const stock = (stream: Stream): Intake => ({ hold: () => stream.pause(), release: () => stream.resume() })
    assert.equal(await receivedWhenHeldAgain(t, stock), TOTAL_BYTES)
  })
})

describe('StreamIntake', LIMIT, () => {
  it('receives one more window at the most when it is held while it is released', async t => {
    assert.equal(await receivedWhenHeldAgain(t, stream => new StreamIntake(stream)), 2 * WINDOW_BYTES)
  })

  it('lets everything through once it is released', async t => {
    const [stream, there] = await openStream(pair(t))
    const intake = new StreamIntake(there)
    let received = 0
    there.addEventListener('message', ({ data }) => {
      received += data.byteLength
      intake.hold()
      setImmediate(() => intake.release())
    })
    stream.send(new Uint8Array(TOTAL_BYTES))
    await until(() => received === TOTAL_BYTES)
  })

  const members = { readStatus: 'readable', pause: () => {}, resume: () => {} }
  refusesWithout('@libp2p/utils', members, stream => new StreamIntake(stream))
  refusesWithout(
    '@libp2p/utils',
    { maxReadBufferLength: 1 },
    (stream: object) => new StreamIntake(Object.assign(stream, members) as never),
  )
})

/**
 * Releases a stream that holds a whole window while the remote has more to send, and holds it again in its
 * first message. Resolves with the bytes that have come in.
 */
async function receivedWhenHeldAgain(
  t: TestContext,
  createIntake: (stream: Stream) => Intake,
): Promise<number> {
  const ends = pair(t)
  const [stream, there] = await openStream(ends)
  const intake = createIntake(there)
  intake.hold()
  stream.send(new Uint8Array(TOTAL_BYTES))
  await until(() => there.recvWindowCapacity === 0)
  let read = 0
  there.addEventListener('message', ({ data }) => {
    read += data.byteLength
    intake.hold()
  })
  intake.release()
  // an answer comes after what the remote has sent before it, and every second one after what a window update let through
  const { muxer } = ends[1] as unknown as { muxer: { ping(): Promise<number> } }
  for (let n = 0; n < 2 * (TOTAL_BYTES / WINDOW_BYTES); n++) await muxer.ping()
  return read + there.readBuffer.byteLength
}

function pair(t: TestContext): [End, End] {
  const ends = muxerPair([])
  t.after(() => ends[0].connection.abort(new Error('the test is over')))
  return ends
}
