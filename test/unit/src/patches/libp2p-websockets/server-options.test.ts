import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, it } from 'node:test'
import { setServerOptions } from '../../../../../src/patches/libp2p-websockets/server-options.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, listen, serverOf } from './listening.ts'
import type { Listener } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

describe('@libp2p/websockets', LIMIT, () => {
  it('gives its TCP server no options but one, which is the fault', t => {
    const createServer = t.mock.method(net, 'createServer')
    const { maxConnections } = serverOf(createListener())
    assert.deepEqual(
      createServer.mock.calls.map(call => call.arguments[0]),
      [{ pauseOnConnect: true }],
    )
    assert.equal(maxConnections, undefined)
  })
})

describe('setServerOptions()', LIMIT, () => {
  it('closes sockets beyond the limit', async t => {
    const listener = createListener()
    setServerOptions(listener, { maxConnections: 1, keepAliveMs: 1_000 })
    const dropped = once(serverOf(listener), 'drop')
    await connectTo(t, listener, 2)
    await dropped
  })

  it('knows no limit where it is Infinity', () => {
    const listener = createListener()
    setServerOptions(listener, { maxConnections: Infinity, keepAliveMs: 1_000 })
    assert.equal(serverOf(listener).maxConnections, undefined)
  })

  it('lets the kernel keep each socket alive', async t => {
    const keptAlive = t.mock.method(net.Socket.prototype, 'setKeepAlive')
    const listener = createListener()
    setServerOptions(listener, { maxConnections: 1, keepAliveMs: 1_234 })
    const accepted = once(serverOf(listener), 'connection')
    await connectTo(t, listener, 1)
    await accepted
    assert.deepEqual(
      keptAlive.mock.calls.map(call => call.arguments),
      [[true, 1_234]],
    )
  })

  refusesWithout('@libp2p/websockets', { 'server.on': () => {} }, listener =>
    setServerOptions(listener, { maxConnections: 1, keepAliveMs: 1 }),
  )
})

/** Connects so many sockets until the test is over. */
async function connectTo(t: TestContext, listener: Listener, count: number): Promise<void> {
  const sockets = Array.from({ length: count }, () => new net.Socket().on('error', () => {}))
  // before the listener is closed, which waits for them
  t.after(() => sockets.forEach(it => it.destroy()))
  const port = await listen(t, listener)
  for (const socket of sockets) socket.connect(port, '127.0.0.1')
}
