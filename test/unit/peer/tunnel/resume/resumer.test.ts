import { strict as assert } from 'node:assert'
import { describe, it } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { streamPair } from '@libp2p/utils'
import { readMessage } from '../../../../../peer/tunnel/wire/message.ts'
import { CUT_FRAME } from '../../../../../peer/tunnel/resume/frames.ts'
import { encodeResponse } from '../../../../../peer/tunnel/wire/protocol.ts'
import { MemoryBudget } from '../../../../../peer/tunnel/resume/memory-budget.ts'
import { START } from '../../../../../peer/tunnel/resume/receive-window.ts'
import { ResumableStream } from '../../../../../peer/tunnel/resume/resumable-stream.ts'
import { Resumer } from '../../../../../peer/tunnel/resume/resumer.ts'
import { once, until } from '../../../../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { TunnelResponse } from '../../../../../peer/tunnel/wire/protocol.ts'

/** A stream that asks over the carriers that it is given. */
function createStream(openCarrier: () => Promise<Stream>, keptMs: number): ResumableStream {
  const stream: ResumableStream = new ResumableStream({
    id: 'x'.repeat(22),
    log: defaultLogger().forComponent('test'),
    direction: 'outbound',
    protocol: '/test',
    budget: new MemoryBudget(),
    onLost: () => resumer.onLost(),
  })
  const resumer = new Resumer({ stream, openCarrier, keptMs })
  return stream
}

/** A stream whose listener answers requests to go on so, and then hangs up; `asked` is when it was asked, in milliseconds. */
function createAnswered(
  response: TunnelResponse | undefined,
  keptMs: number,
): { stream: ResumableStream; asked: number[] } {
  const asked: number[] = []
  const stream = createStream(async () => {
    asked.push(performance.now())
    if (response === undefined) throw new Error('nobody is there')
    const [near, far] = await streamPair()
    far.addEventListener('message', () => {
      far.send(encodeResponse(response))
      setImmediate(() => far.abort(new Error('hung up')))
    })
    return near
  }, keptMs)
  return { stream, asked }
}

async function lose(stream: ResumableStream): Promise<void> {
  const [near, far] = await streamPair()
  near.pause()
  stream.attach(near, START)
  far.abort(new Error('lost'))
}

describe('a stream whose carrier is lost', () => {
  it('is not offered again at once to a listener that takes it and hangs up', async t => {
    const { stream, asked } = createAnswered({ status: 'ok', position: START }, 60_000)
    t.after(() => stream.abort(new Error('the test is over')))
    await lose(stream)
    await until(() => asked.length === 4, 'the listener is asked four times')
    const pauses = asked.slice(1).map((at, n) => Math.round(at - asked[n]!))
    // 100 ms, twice as long each time, less up to a half
    for (const [n, leastMs] of [50, 100, 200].entries())
      assert.ok(pauses[n]! >= leastMs - 1, `${pauses.join(', ')} ms between`)
  })

  it('is reset when nobody has been there for as long as it is kept, with the last reason', async () => {
    const { stream } = createAnswered(undefined, 300)
    const closed = new Promise<Error | undefined>(resolve =>
      stream.addEventListener('close', ({ error }) => resolve(error)),
    )
    await lose(stream)
    assert.match((await closed)?.message ?? '', /No path to the remote peer for 0.3 s: nobody is there/)
  })

  it('says that it was cut over the carrier on which it was just asking to go on', async () => {
    const [near, far] = await streamPair()
    const stream = createStream(async () => near, 60_000)
    await lose(stream)
    await readMessage(far)
    const cut = once(far, 'message')
    stream.abort(new Error('the local caller left'))
    far.resume()
    assert.deepEqual(Buffer.from((await cut)[0].data.subarray()), Buffer.from(CUT_FRAME))
    far.abort(new Error('seen'))
  })

  it('is reset at once when the listener does not know it any more', async () => {
    const { stream, asked } = createAnswered({ status: 'gone' }, 60_000)
    const closed = new Promise(resolve => stream.addEventListener('close', resolve))
    await lose(stream)
    await closed
    assert.equal(asked.length, 1)
  })
})
