/** One message at the start of a stream, over libp2p's own streams in memory. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { encodeMessage, MAX_MESSAGE_BYTES, readMessage } from '../../../../../peer/tunnel/wire/message.ts'
import { once } from '../../../../waits.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** Collects what is left on a paused stream. */
async function rest(stream: Awaited<ReturnType<typeof streamPair>>[0]): Promise<string> {
  const chunks: Uint8Array[] = []
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  stream.addEventListener('message', event => chunks.push(event.data.subarray()))
  stream.addEventListener('end', () => resolve())
  stream.resume()
  if (!stream.readableEnded) await ended
  return text(Buffer.concat(chunks))
}

test('a message of every length comes out as it went in', async () => {
  for (const length of [1, 127, 128, 129, 1000, MAX_MESSAGE_BYTES]) {
    const [outbound, inbound] = await streamPair()
    outbound.send(encodeMessage(Buffer.alloc(length, 'x')))
    assert.equal(text(await readMessage(inbound)), 'x'.repeat(length))
  }
})

test('a message cut into single bytes is read', async () => {
  const [outbound, inbound] = await streamPair()
  const reading = readMessage(inbound)
  for (const byte of encodeMessage(Buffer.from('y'.repeat(200)))) outbound.send(Uint8Array.of(byte))
  assert.equal(text(await reading), 'y'.repeat(200))
})

test('the stream comes back paused, with what followed the message', async () => {
  const [outbound, inbound] = await streamPair()
  outbound.send(Buffer.concat([encodeMessage(Buffer.from('request')), Buffer.from('data')]))
  assert.equal(text(await readMessage(inbound)), 'request')
  assert.equal(inbound.readStatus, 'paused')
  outbound.send(Buffer.from(' and more'))
  await outbound.close()
  assert.equal(await rest(inbound), 'data and more')
})

test('what followed the message survives an end that arrived before the reading', async () => {
  // @libp2p/utils 7.4.1: `lpStream` reads everything, finds the stream ended, and throws when it pushes the rest back.
  const [outbound, inbound] = await streamPair()
  const ended = new Promise(resolve => inbound.addEventListener('remoteCloseWrite', resolve))
  outbound.send(Buffer.concat([encodeMessage(Buffer.from('request')), Buffer.from('data')]))
  await outbound.close()
  await ended
  assert.equal(text(await readMessage(inbound)), 'request')
  assert.equal(await rest(inbound), 'data')
})

test('a message that came before the stream was reset is read, with what followed', async () => {
  const [outbound, inbound] = await streamPair()
  inbound.pause()
  outbound.send(Buffer.concat([encodeMessage(Buffer.from('request')), Buffer.from('data')]))
  const reset = once(inbound, 'close')
  outbound.abort(new Error('gone'))
  await reset
  inbound.resume()
  assert.equal(text(await readMessage(inbound)), 'request')
  assert.equal(inbound.readBufferLength, 4)
})

test('a message of which a part came before the stream was reset is none', async () => {
  const [outbound, inbound] = await streamPair()
  outbound.send(encodeMessage(Buffer.from('request')).subarray(0, 3))
  const reset = once(inbound, 'close')
  outbound.abort(new Error('gone'))
  await reset
  await assert.rejects(readMessage(inbound))
})

test('no listener is left, whatever the outcome', async () => {
  for (const sent of [encodeMessage(Buffer.from('fine')), Uint8Array.of(0)]) {
    const [outbound, inbound] = await streamPair()
    const count = (): number[] => ['message', 'end', 'close'].map(type => inbound.listenerCount(type))
    const before = count()
    outbound.send(sent)
    await readMessage(inbound).catch(() => {})
    assert.deepEqual(count(), before)
  }
})

const bad: { name: string; bytes: number[] }[] = [
  { name: 'empty', bytes: [0] },
  { name: 'longer than 1 KiB', bytes: [0x81, 0x08] },
  { name: 'with a length of three bytes', bytes: [0x80, 0x80, 0x01] },
  { name: 'with an endless length', bytes: [0xff, 0xff] },
  { name: 'with a needless byte in its length', bytes: [0x81, 0x00] },
]

for (const { name, bytes } of bad) {
  test(`a message ${name} is refused before its body`, async () => {
    const [outbound, inbound] = await streamPair()
    outbound.send(Uint8Array.from(bytes))
    await assert.rejects(readMessage(inbound), { name: 'InvalidMessageError' })
    assert.equal(inbound.readStatus, 'paused')
  })
}

test('a message cut short by the end is refused', async () => {
  for (const bytes of [[], [5], [5, 1, 2]]) {
    const [outbound, inbound] = await streamPair()
    if (bytes.length > 0) outbound.send(Uint8Array.from(bytes))
    await outbound.close()
    await assert.rejects(readMessage(inbound), { name: 'InvalidMessageError' })
  }
})

test('a reset is told apart from an end', async () => {
  const [outbound, inbound] = await streamPair()
  const reading = readMessage(inbound)
  outbound.abort(new Error('no more'))
  await assert.rejects(reading, { name: 'StreamResetError' })
  await assert.rejects(readMessage(inbound), { name: 'StreamResetError' })
})

test('a signal stops the reading and leaves the stream open', async () => {
  const [, inbound] = await streamPair()
  const controller = new AbortController()
  const reading = readMessage(inbound, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(reading, { message: 'enough' })
  await assert.rejects(readMessage(inbound, { signal: controller.signal }), { message: 'enough' })
  assert.equal(inbound.status, 'open')
})
