import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, it } from 'node:test'
import { readOneHead } from '../../../../../src/patches/libp2p-websockets/request-heads.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, listen } from './listening.ts'
import type { Listener } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const BOUNDS = { maxBytes: 16 * 1024, timeoutMs: 10_000 }

const patch = (listener: Listener): void => readOneHead(listener, BOUNDS)

describe('@libp2p/websockets', LIMIT, () => {
  it('answers all requests of a socket, which is the fault', async t => {
    assert.equal(await answersTo(t, () => {}), 100)
  })
})

describe('readOneHead()', LIMIT, () => {
  it('has one request of a socket answered', async t => {
    assert.equal(await answersTo(t, patch), 1)
  })

  it('lets a WebSocket open, and say something', async t => {
    const heard = Promise.withResolvers<string>()
    const listener = createListener(connection =>
      connection.addEventListener('message', ({ data }) =>
        heard.resolve(Buffer.from(data.subarray()).toString()),
      ),
    )
    patch(listener)
    const webSocket = new WebSocket(`ws://127.0.0.1:${await listen(t, listener)}`)
    await once(webSocket, 'open')
    webSocket.send('hello')
    assert.equal(await heard.promise, 'hello')
    webSocket.close()
    await once(webSocket, 'close')
  })

  refusesWithout('@libp2p/websockets', { httpRequestHandler: () => {}, onUpgrade: () => {} }, patch)
})

/** How many answers come to 100 requests in one write. */
async function answersTo(t: TestContext, apply: (listener: Listener) => void): Promise<number> {
  const listener = createListener()
  apply(listener)
  const socket = net.connect(await listen(t, listener), '127.0.0.1')
  t.after(() => socket.destroy())
  let text = ''
  const answers = (): number => text.match(/^HTTP\/1\.1 400 /gm)?.length ?? 0
  socket.setEncoding('utf8').write('GET / HTTP/1.1\r\nHost: relay\r\n\r\n'.repeat(100))
  const done = new Promise<void>(resolve => {
    socket.once('close', () => resolve())
    socket.on('data', (more: string) => {
      text += more
      if (answers() === 100) resolve()
    })
  })
  await done
  return answers()
}
