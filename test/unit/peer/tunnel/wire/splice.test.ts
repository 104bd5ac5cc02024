/**
 * A splice between a duplex in memory and one end of a yamux stream in memory.
 *
 * Yamux is the real one, since what is tested is how a splice gets along with its windows, its half-close and its
 * order of events; only the connection below it is libp2p's mock.
 */
import { strict as assert } from 'node:assert'
import { Duplex, duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { once, turns } from '../../../../waits.ts'
import type { MultiaddrConnection, Stream } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { splice } from '../../../../../peer/tunnel/wire/splice.ts'

/** Two ends of one yamux stream, and the ends of the connection that carries it. */
async function yamuxPair(): Promise<{ near: Stream; far: Stream; connections: MultiaddrConnection[] }> {
  const [outbound, inbound] = multiaddrConnectionPair({ delay: 0, capacity: 1024 })
  const factory = yamux({ enableKeepAlive: false })()
  const [dialer, listener] = [factory.createStreamMuxer(outbound), factory.createStreamMuxer(inbound)]
  const arrived = once(listener, 'stream')
  const near = await dialer.createStream()
  const [event] = await arrived
  return { near, far: event.detail, connections: [outbound, inbound] }
}

function streamText(stream: Stream): Promise<string> {
  let received = ''
  return new Promise((resolve, reject) => {
    if (stream.readableEnded) resolve(received)
    stream.addEventListener('message', event => (received += Buffer.from(event.data.subarray())))
    stream.addEventListener('end', () => stream.status === 'reset' || resolve(received))
    stream.addEventListener('close', event => event.error !== undefined && reject(event.error))
  })
}

test('each direction ends by itself, and the bytes are counted', async () => {
  const { near, far } = await yamuxPair()
  const [user, socket] = duplexPair()
  const running = splice(socket, near)
  const received = streamText(far)
  user.end('from the socket')
  assert.equal(await received, 'from the socket')
  far.send(Buffer.from('after its end'))
  await far.close()
  assert.equal(await text(user), 'after its end')
  assert.deepEqual(await running, { bytesIn: 13, bytesOut: 15 })
})

test('a stream handed over paused, with bytes and its end received, loses neither', async () => {
  const { near, far } = await yamuxPair()
  near.pause()
  const ended = once(near, 'remoteCloseWrite')
  far.send(Buffer.from('early'))
  await far.close()
  await ended
  const [user, socket] = duplexPair()
  const running = splice(socket, near)
  user.end()
  assert.equal(await text(user), 'early')
  assert.deepEqual(await running, { bytesIn: 5, bytesOut: 0 })
})

test('a socket whose end was read before is an end', async () => {
  const { near, far } = await yamuxPair()
  const [user, socket] = duplexPair()
  user.end()
  const isRead = once(socket.resume(), 'end')
  await isRead
  const running = splice(socket, near)
  const received = streamText(far)
  await far.close()
  assert.equal(await received, '')
  assert.equal(await text(user), '')
  await running
})

test('a slow reader is waited for beyond what a stream may buffer', async () => {
  // 32 MiB is eight times `maxReadBufferLength`. If the splice paused the stream at the wrong moment it would go on
  // receiving and be aborted with StreamBufferError, as it would be with libp2p's default and a grown window.
  const { near, far } = await yamuxPair()
  const total = 32 * 1024 * 1024
  let written = 0
  let isBusy = false
  const socket = new Duplex({
    read() {
      this.push(null)
    },
    write(chunk: Uint8Array, _encoding, done) {
      assert.equal(isBusy, false)
      isBusy = true
      // One chunk a turn of the event loop, while the other side sends as fast as it can.
      setImmediate(() => {
        isBusy = false
        written += chunk.byteLength
        done()
      })
    },
  })
  const running = splice(socket, near)
  let peak = 0
  const chunk = Buffer.alloc(64 * 1024)
  for (let sent = 0; sent < total; sent += chunk.byteLength) {
    if (!far.send(chunk)) await once(far, 'drain')
    peak = Math.max(peak, far.writeBufferLength)
  }
  await far.close()
  assert.deepEqual(await running, { bytesIn: total, bytesOut: 0 })
  assert.equal(written, total)
})

test('a stream that takes nothing more stops the socket from being read', async () => {
  const { near, far } = await yamuxPair()
  far.pause()
  const [user, socket] = duplexPair()
  const running = splice(socket, near)
  const chunk = Buffer.alloc(64 * 1024)
  let written = 0
  for (let writes = 1; user.write(chunk); writes++) {
    assert.ok(writes < 1_000, `the socket takes ${writes} chunks, and more`)
    await turns(1)
  }
  const drained = once(user, 'drain')
  written = user.writableLength
  assert.ok(written > 0)
  // The far side reads on: everything comes, in the end.
  const received = streamText(far)
  far.resume()
  await drained
  user.end()
  const { length } = await received
  await far.close()
  user.resume()
  assert.equal((await running).bytesOut, length)
})

test('a stream that is still full after a drain is not fed', async () => {
  // Every drain of the connection is passed on to all its streams, also to those whose own window is used up.
  const { near, far } = await yamuxPair()
  far.pause()
  const [user, socket] = duplexPair()
  const controller = new AbortController()
  const running = splice(socket, near, { signal: controller.signal })
  const chunk = Buffer.alloc(64 * 1024)
  for (let writes = 0; writes < 100; writes++) {
    user.write(chunk)
    near.dispatchEvent(new Event('drain'))
    await turns(1)
  }
  assert.ok(near.writeBufferLength < 2 * chunk.byteLength, `${near.writeBufferLength} bytes are queued`)
  controller.abort()
  await assert.rejects(running, { name: 'AbortError' })
})

test('a stream that is cut after its end, but before all of it was written, is no end', async () => {
  const { near, far } = await yamuxPair()
  const socket = new Duplex({ read() {}, write() {} })
  const running = splice(socket, near)
  const ended = once(near, 'remoteCloseWrite')
  for (let sent = 0; sent < 4; sent++) far.send(Buffer.alloc(64 * 1024))
  await far.close()
  await ended
  assert.ok(near.readBufferLength > 0)
  near.abort(new Error('pulled the plug'))
  await assert.rejects(running)
  assert.equal(socket.writableEnded, false)
})

test('a stream that is reset cuts the socket with the cause', async () => {
  const { near, far } = await yamuxPair()
  const [, socket] = duplexPair()
  const running = splice(socket, near)
  far.abort(new Error('no more'))
  await assert.rejects(running, { name: 'StreamResetError' })
  assert.equal(socket.destroyed, true)
})

test('a connection that closes is a cut and not an end', async () => {
  // A connection can go away without an error, and then its streams close without one, as if they had ended.
  for (const end of [0, 1]) {
    const { near, far, connections } = await yamuxPair()
    const [user, socket] = duplexPair()
    const closed = once(socket, 'close')
    const running = splice(socket, near)
    far.send(Buffer.from('half of it'))
    assert.equal(String((await once(user, 'data'))[0]), 'half of it')
    const cut = assert.rejects(running, { name: 'ConnectionClosedError' })
    await connections[end]?.close()
    await cut
    await closed
    assert.equal(socket.writableEnded, false, 'the socket was ended as if all had come')
  }
})

test('an error of the socket resets the stream', async () => {
  const { near, far } = await yamuxPair()
  const [, socket] = duplexPair()
  const running = splice(socket, near)
  const reset = once(far, 'close')
  socket.destroy(new Error('broken'))
  await assert.rejects(running, { message: 'broken' })
  assert.equal((await reset)[0].error.name, 'StreamResetError')
})

test('a socket destroyed without an error resets the stream', async () => {
  const { near, far } = await yamuxPair()
  const [, socket] = duplexPair()
  const running = splice(socket, near)
  const reset = once(far, 'close')
  socket.destroy()
  await assert.rejects(running, { name: 'ConnectionClosedError' })
  assert.equal((await reset)[0].error.name, 'StreamResetError')
  await assert.rejects(splice(socket, near), { name: 'ConnectionClosedError' })
})

test('a signal cuts both sides, before and during', async () => {
  for (const isBefore of [true, false]) {
    const { near, far } = await yamuxPair()
    const [, socket] = duplexPair()
    const controller = new AbortController()
    const reset = once(far, 'close')
    if (isBefore) controller.abort(new Error('stopped'))
    const traffic = { bytesIn: 0, bytesOut: 0 }
    const running = splice(socket, near, { signal: controller.signal, traffic })
    controller.abort(new Error('stopped'))
    await assert.rejects(running, { message: 'stopped' })
    assert.equal((await reset)[0].error.name, 'StreamResetError')
  }
})

test('no listener is left on either side, whether it ended or was cut', async () => {
  for (const isCut of [false, true]) {
    const { near, far } = await yamuxPair()
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const types = ['message', 'drain', 'remoteCloseWrite', 'end', 'close']
    const count = (): number[] => types.map(type => near.listenerCount(type))
    const [streamBefore, socketBefore] = [count(), socket.eventNames()]
    const controller = new AbortController()
    const running = splice(socket, near, { signal: controller.signal })
    if (isCut) controller.abort()
    else {
      socket.push(null)
      far.addEventListener('message', () => {})
      await far.close()
    }
    await running.catch(() => {})
    // Yamux's own listeners take themselves off when the stream closes.
    for (const [index, left] of count().entries()) assert.ok(left <= (streamBefore[index] ?? 0), types[index])
    assert.deepEqual(socket.eventNames(), socketBefore)
  }
})
