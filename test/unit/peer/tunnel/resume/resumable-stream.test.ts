/** A stream that outlives its carriers: what is lost with one comes over the next, once and in order. */

import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { streamPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { CUT_FRAME, encodeAck, encodeData, END_FRAME } from '../../../../../peer/tunnel/resume/frames.ts'
import { START } from '../../../../../peer/tunnel/resume/receive-window.ts'
import { MemoryBudget } from '../../../../../peer/tunnel/resume/memory-budget.ts'
import { ResumableStream } from '../../../../../peer/tunnel/resume/resumable-stream.ts'
import { once, until } from '../../../../waits.ts'
import type { Stream } from '@libp2p/interface'

const KIB = 1024

interface Side {
  stream: ResumableStream
  received: Buffer[]
  losses: Error[]
}

function createSide(direction: 'inbound' | 'outbound'): Side {
  const losses: Error[] = []
  const stream = new ResumableStream({
    id: 'x'.repeat(22),
    log: defaultLogger().forComponent('test'),
    direction,
    protocol: '/test',
    budget: new MemoryBudget(),
    onLost: error => losses.push(error),
  })
  const received: Buffer[] = []
  stream.addEventListener('message', ({ data }) => received.push(Buffer.from(data.subarray())))
  return { stream, received, losses }
}

/** Paused, as after a handshake. */
async function carriers(): Promise<[Stream, Stream]> {
  const pair = await streamPair()
  for (const stream of pair) stream.pause()
  return pair
}

async function connected(): Promise<{ one: Side; other: Side; cut: () => void }> {
  const [one, other] = [createSide('outbound'), createSide('inbound')]
  const [left, right] = await carriers()
  one.stream.attach(left, START)
  other.stream.attach(right, START)
  return { one, other, cut: () => left.abort(new Error('cut')) }
}

async function resume(one: Side, other: Side): Promise<void> {
  const [left, right] = await carriers()
  const [here, there] = [one.stream.detach(), other.stream.detach()]
  one.stream.attach(left, there)
  other.stream.attach(right, here)
}

/** Sends all of it, as fast as the stream takes it. */
async function sendAll(stream: ResumableStream, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += 16 * KIB)
    if (!stream.send(bytes.subarray(at, at + 16 * KIB))) await once(stream, 'drain')
}

const lengthOf = ({ received }: Side): number => received.reduce((sum, it) => sum + it.byteLength, 0)

describe('a resumable stream', { timeout: 30_000 }, () => {
  it('carries bytes both ways and ends on both sides', async () => {
    const { one, other } = await connected()
    one.stream.resume()
    other.stream.resume()
    one.stream.send(Buffer.from('question'))
    other.stream.send(Buffer.from('answer'))
    await Promise.all([one.stream.close(), other.stream.close()])
    await until(() => one.stream.status === 'closed' && other.stream.status === 'closed')
    assert.equal(Buffer.concat(other.received).toString(), 'question')
    assert.equal(Buffer.concat(one.received).toString(), 'answer')
    assert.deepEqual([one.losses, other.losses], [[], []])
  })

  it('goes on where it was after each of ten losses, in the midst of the transfer', async () => {
    const { one, other } = await connected()
    other.stream.resume()
    const sent = randomBytes(4 * KIB * KIB)
    const sending = sendAll(one.stream, sent)
    for (let n = 1; n <= 10; n++) {
      await until(() => lengthOf(other) > (n * sent.byteLength) / 11)
      await resume(one, other)
    }
    await sending
    await one.stream.close()
    assert.ok(Buffer.concat(other.received).equals(sent))
  })

  it('sends again what was on its way when the carrier was lost, and its end', async () => {
    const [one, other] = [createSide('outbound'), createSide('inbound')]
    const [left] = await carriers()
    one.stream.attach(left, START)
    other.stream.resume()
    one.stream.send(Buffer.from('never arrives over this carrier'))
    const closed = one.stream.close()
    left.abort(new Error('cut'))
    await until(() => one.losses.length === 1)
    await resume(one, other)
    await closed
    assert.equal(Buffer.concat(other.received).toString(), 'never arrives over this carrier')
    assert.equal(other.stream.remoteWriteStatus, 'closed')
  })

  it('tells of a lost carrier once, and of none that it has left', async () => {
    const { one, other, cut } = await connected()
    await resume(one, other)
    cut()
    await resume(one, other)
    one.stream.resume()
    other.stream.resume()
    one.stream.send(Buffer.from('x'))
    await until(() => lengthOf(other) === 1)
    assert.deepEqual([one.losses, other.losses], [[], []])
  })

  it('is reset on both sides when one cuts it, and nobody is asked to go on', async () => {
    const { one, other } = await connected()
    one.stream.abort(new Error('enough'))
    await until(() => other.stream.status === 'reset')
    assert.deepEqual([one.losses, other.losses], [[], []])
  })

  it('takes no more than a window where nobody reads, and goes on when somebody does', async () => {
    const [one, other] = [createSide('outbound'), createSide('inbound')]
    const [left, right] = await carriers()
    const acks: Buffer[] = []
    left.addEventListener('message', ({ data }) => acks.push(Buffer.from(data.subarray())))
    one.stream.attach(left, START)
    other.stream.attach(right, START)
    const sent = randomBytes(1024 * KIB)
    const sending = sendAll(one.stream, sent)
    const full = encodeAck({ received: 64 * KIB, limit: 64 * KIB })
    await until(() => acks.some(it => it.equals(full)), 'a window is acknowledged')
    assert.ok(one.stream.writableNeedsDrain)
    assert.deepEqual([left.writeBufferLength, other.stream.readBufferLength], [0, 64 * KIB])
    other.stream.resume()
    await sending
    await until(() => lengthOf(other) === sent.byteLength)
    assert.ok(Buffer.concat(other.received).equals(sent))
  })

  it('keeps what nobody reads in few pieces, though it comes byte by byte', async () => {
    const { one, other } = await connected()
    for (let n = 0; n < 5_000; n++) one.stream.send(Uint8Array.of(n))
    await until(() => other.stream.readBufferLength === 5_000)
    const { readBuffer } = other.stream as unknown as { readBuffer: Iterable<Uint8Array> }
    assert.ok([...readBuffer].length <= 256)
  })

  it('sends on while nobody reads what comes the other way', async () => {
    const { one, other } = await connected()
    const sending = sendAll(other.stream, randomBytes(1024 * KIB))
    await until(() => one.stream.readBufferLength >= 64 * KIB)
    other.stream.resume()
    const sent = randomBytes(2048 * KIB)
    await sendAll(one.stream, sent)
    await until(() => lengthOf(other) === sent.byteLength)
    one.stream.resume()
    await sending
  })

  it('keeps no more to send again than is on its way', async () => {
    const { one } = await connected()
    one.stream.detach()
    assert.equal(one.stream.send(Buffer.alloc(100)), false)
    assert.equal(one.stream.writeBufferLength, 100)
  })

  it('answers the last question once more when it is complete here and not yet there', async () => {
    const { one, other, cut } = await connected()
    other.stream.resume()
    one.stream.resume()
    const closed = one.stream.close()
    await other.stream.close()
    // the last acknowledgement is on its way
    cut()
    await until(
      () => other.stream.status === 'closed' && (one.losses.length === 1 || one.stream.status === 'closed'),
    )
    await resume(one, other)
    await closed
    await until(() => one.stream.status === 'closed')
  })

  it('tells what was read while it had no carrier, so that a full window does not stay so', async () => {
    const { one, other } = await connected()
    const sent = randomBytes(256 * KIB)
    const sending = sendAll(one.stream, sent)
    await until(() => other.stream.readBufferLength === 64 * KIB)
    const [left, right] = await carriers()
    const [here, there] = [one.stream.detach(), other.stream.detach()]
    other.stream.resume()
    one.stream.attach(left, there)
    other.stream.attach(right, here)
    await sending
    await until(() => lengthOf(other) === sent.byteLength)
  })

  it('takes nothing more over a carrier that comes after its end', async () => {
    for (const end of ['aborted', 'reset']) {
      const { one, other } = await connected()
      if (end === 'aborted') other.stream.abort(new Error('enough'))
      else one.stream.abort(new Error('enough'))
      await until(() => other.stream.status === end)
      const [hostile, carrier] = await carriers()
      other.stream.attach(carrier, START)
      assert.equal(other.stream.isCarried, false)
      hostile.resume()
      // the other side is told, and does not wait for what will never come
      const [{ data }] = (await once(hostile, 'message')) as [{ data: Uint8Array }]
      assert.deepEqual(Buffer.from(data.subarray()), Buffer.from(CUT_FRAME))
      hostile.abort(new Error('seen'))
    }
  })

  it('is reset by a cut that has come over a carrier which is closed by now', async () => {
    const { stream, losses } = createSide('inbound')
    const [carrier, sender] = await carriers()
    sender.send(CUT_FRAME)
    await until(() => carrier.readBufferLength === CUT_FRAME.byteLength)
    sender.abort(new Error('gone'))
    await until(() => carrier.status === 'reset')
    stream.attach(carrier, START)
    assert.equal(stream.status, 'reset')
    assert.deepEqual(losses, [])
  })

  it('gives its window back when what nobody reads is thrown away', async () => {
    let left = 0
    const budget = { isSpent: false, spend: (bytes: number) => void (left -= bytes) }
    const stream = new ResumableStream({
      id: 'x'.repeat(22),
      log: defaultLogger().forComponent('test'),
      direction: 'inbound',
      protocol: '/test',
      budget,
      onLost: () => {},
    })
    const [carrier, sender] = await carriers()
    stream.attach(carrier, START)
    stream.resume()
    let received = 0
    stream.addEventListener('message', ({ data }) => (received += data.byteLength))
    for (let n = 0; n < 4; n++) {
      sender.send(encodeData(list(64 * KIB)))
      await until(() => received === (n + 1) * 64 * KIB)
    }
    assert.ok(left < 0)
    stream.pause()
    sender.send(
      new Uint8ArrayList(encodeData(list(64 * KIB)), END_FRAME, encodeAck({ received: 1, limit: 9 })),
    )
    await stream.close()
    await until(() => stream.status === 'closed')
    assert.equal(stream.readBufferLength, 64 * KIB)
    assert.ok(left < 0)
    stream.abort(new Error('nobody reads it'))
    assert.equal(stream.readBufferLength, 0)
    assert.equal(left, 0)
  })

  for (const { name, frame, error } of [
    { name: 'more than the window', frame: encodeData(list(64 * KIB + 1)), error: /window/ },
    {
      name: 'data after the end',
      frame: new Uint8ArrayList(END_FRAME, encodeData(list(1))),
      error: /after the end/,
    },
    {
      name: 'an acknowledgement of what was not sent',
      frame: encodeAck({ received: 1, limit: 9 }),
      error: /not sent/,
    },
    { name: 'no frame', frame: Uint8Array.of(4), error: /Unknown frame type/ },
  ])
    it(`is cut when the other side sends ${name}`, async () => {
      const { stream, losses } = createSide('inbound')
      const [carrier, hostile] = await carriers()
      stream.attach(carrier, START)
      const closed = once(stream, 'close')
      hostile.send(frame)
      assert.match((await closed)[0].error.message, error)
      assert.deepEqual(losses, [])
    })
})

function list(bytes: number): Uint8ArrayList {
  return new Uint8ArrayList(Buffer.alloc(bytes))
}
