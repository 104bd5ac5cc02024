import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { AbstractStream } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { passDirectly } from '../../../../../src/patches/libp2p-utils/direct-messages.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { SendResult } from '@libp2p/utils'

const LIMIT = { timeout: 30_000 }

/** A stream that accepts so many bytes at a time, and remembers them. */
class TestStream extends AbstractStream {
  sent = ''
  /** Bytes that it accepts before it is full. */
  room = Infinity
  error: Error | undefined
  onSend: () => void = () => {}

  constructor() {
    super({ id: '1', direction: 'outbound', log: defaultLogger().forComponent('test'), protocol: '/test/1' })
  }

  override sendData(data: Uint8ArrayList): SendResult {
    if (this.error !== undefined) throw this.error
    this.onSend()
    const sentBytes = Math.min(this.room, data.byteLength)
    this.sent += Buffer.from(data.subarray(0, sentBytes))
    // as yamux does
    data.consume(sentBytes)
    this.room -= sentBytes
    return { sentBytes, canSendMore: this.room > 0 }
  }

  /** Goes on when there is room again. */
  processSendQueueAfterDrain(): void {
    this.writableNeedsDrain = false
    this.processSendQueue()
  }

  override sendReset(): void {}
  override sendPause(): void {}
  override sendResume(): void {}
  override async sendCloseWrite(): Promise<void> {}
  override async sendCloseRead(): Promise<void> {}
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const list = (...texts: string[]): Uint8ArrayList => new Uint8ArrayList(...texts.map(bytes))

/** A stream, patched, with what its reader has received. */
function patched(): { stream: TestStream; received: string[] } {
  const stream = passDirectly(new TestStream())
  const received: string[] = []
  stream.addEventListener('message', ({ data }) => received.push(String(Buffer.from(data.subarray()))))
  return { stream, received }
}

describe('@libp2p/utils', LIMIT, () => {
  it('announces after each message that it has nothing to send, which is the fault', async () => {
    const stream = new TestStream()
    const idle = once(stream, 'idle')
    stream.send(bytes('hello'))
    await idle
  })
})

describe('passDirectly(), on sending', LIMIT, () => {
  it('sends what is given, in order, and does not change it', () => {
    const { stream } = patched()
    const parts = list('two', 'three')
    assert.equal(stream.send(bytes('one')), true)
    assert.equal(stream.send(parts), true)
    assert.equal(stream.sent, 'onetwothree')
    assert.equal(parts.byteLength, 8)
  })

  for (const [what, data] of [
    ['a piece', bytes('hello')],
    ['a list', list('he', 'llo')],
  ] as const)
    it(`keeps what a full stream has not accepted of ${what}, and sends it first later`, async () => {
      const { stream } = patched()
      stream.room = 3
      assert.equal(stream.send(data), false)
      assert.equal(stream.send(bytes('!')), false)
      assert.deepEqual([stream.sent, stream.writeBufferLength], ['hel', 3])
      stream.room = Infinity
      const idle = once(stream, 'idle')
      stream.onMuxerDrain()
      await idle
      assert.equal(stream.sent, 'hello!')
    })

  it('asks the writer to wait when the last byte has filled the stream', () => {
    const { stream } = patched()
    stream.room = 5
    assert.equal(stream.send(bytes('hello')), false)
    assert.deepEqual([stream.writableNeedsDrain, stream.writeBufferLength], [true, 0])
  })

  it('sends what is written while it sends, behind it', () => {
    const { stream } = patched()
    stream.onSend = () => {
      stream.onSend = () => {}
      stream.send(bytes('second'))
    }
    assert.equal(stream.send(bytes('first')), true)
    assert.equal(stream.sent, 'firstsecond')
  })

  it('keeps the order if it is full while more is written', () => {
    const { stream } = patched()
    stream.room = 2
    stream.onSend = () => {
      stream.onSend = () => {}
      stream.send(bytes('second'))
    }
    assert.equal(stream.send(bytes('first')), false)
    assert.equal(stream.sent, 'fi')
    stream.room = Infinity
    stream.processSendQueueAfterDrain()
    assert.equal(stream.sent, 'firstsecond')
  })

  it('lets a close that begins while it sends end', async () => {
    const { stream } = patched()
    let closing: Promise<void> | undefined
    stream.onSend = () => {
      closing ??= stream.close()
    }
    stream.send(bytes('hello'))
    await closing
    assert.equal(stream.writeStatus, 'closed')
  })

  it('aborts the stream if sending fails, and throws', () => {
    const { stream } = patched()
    stream.error = new Error('no way')
    assert.throws(() => stream.send(bytes('hello')), stream.error)
    assert.equal(stream.status, 'aborted')
  })

  it('refuses to send on a stream that is closed for writing', async () => {
    const { stream } = patched()
    await stream.close()
    assert.throws(() => stream.send(bytes('hello')), { name: 'StreamStateError' })
  })
})

describe('passDirectly(), on receiving', LIMIT, () => {
  it('dispatches what comes in, in order', () => {
    const { stream, received } = patched()
    stream.onData(bytes('one'))
    stream.onData(list('two', 'three'))
    assert.deepEqual(received, ['one', 'twothree'])
  })

  it('keeps what comes in while the stream is paused', () => {
    const { stream, received } = patched()
    stream.onData(bytes('one'))
    stream.pause()
    stream.onData(bytes('two'))
    stream.onData(bytes('three'))
    assert.deepEqual(received, ['one'])
    stream.resume()
    stream.onData(bytes('four'))
    assert.deepEqual(received, ['one', 'twothree', 'four'])
  })

  it('keeps what comes in before anybody listens', async () => {
    const stream = passDirectly(new TestStream())
    stream.onData(bytes('hello'))
    const [{ data }] = (await once(stream, 'message')) as [{ data: Uint8ArrayList }]
    assert.equal(String(Buffer.from(data.subarray())), 'hello')
  })

  it('drops what comes in after the readable end was closed', async () => {
    const { stream, received } = patched()
    await stream.closeRead()
    stream.onData(bytes('hello'))
    assert.deepEqual(received, [])
  })

  it('ends when the remote ends while a message is dispatched', async () => {
    const { stream, received } = patched()
    const ended = once(stream, 'end')
    stream.addEventListener('message', () => stream.onRemoteCloseWrite(), { once: true })
    stream.onData(bytes('hello'))
    await ended
    assert.deepEqual([received, stream.readStatus], [['hello'], 'closed'])
  })
})

describe('passDirectly()', () => {
  const nothing = (): void => {}
  const states = { readStatus: '', writeStatus: '', remoteWriteStatus: '' }
  const flags = { writableNeedsDrain: false, sendingData: false }
  const output = { send: nothing, sendData: nothing, processSendQueue: nothing }
  const input = { onData: nothing, dispatchReadBuffer: nothing, checkWriteBufferLength: nothing }
  const events = { safeDispatchEvent: nothing, listenerCount: nothing }
  const members = { ...states, readBuffer: {}, writeBuffer: {}, ...flags, ...output, ...input, ...events }
  refusesWithout('@libp2p/utils', members, passDirectly)
})
