import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { askAboutSockets } from '../../../../../src/patches/libp2p-websockets/accepted-sockets.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, createListenerFor, listen, serverOf, upgraderFor } from './listening.ts'
import type { Listener, MultiaddrConnection } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: relay',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Version: 13\r\n\r\n',
].join('\r\n')

/** What a remote may send without opening a WebSocket. */
const UNFINISHED = {
  'no byte': '',
  'half a head': 'GET / HTTP/1.1\r\nHost: re',
  'half a body': 'POST / HTTP/1.1\r\nHost: relay\r\nContent-Length: 100\r\n\r\nabc',
  'a request that asks for no WebSocket': 'GET / HTTP/1.1\r\nHost: relay\r\n\r\n',
  'half a request for a WebSocket': UPGRADE.slice(0, -2),
} as const

describe('@libp2p/websockets', LIMIT, () => {
  for (const what of ['no byte', 'half a head', 'half a body'] as const)
    it(`waits without end after ${what}, which is the fault`, async t => {
      const { accepted } = await connected(t, createListener(), UNFINISHED[what])
      t.mock.timers.tick(24 * 60 * 60 * 1000)
      await turn()
      assert.equal(accepted.destroyed, false)
    })

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

describe('askAboutSockets()', LIMIT, () => {
  for (const [what, bytes] of Object.entries(UNFINISHED))
    it(`closes a socket 10 s after its acceptance when it has sent ${what}`, async t => {
      const { accepted, remote } = await connected(t, patched({}), bytes)
      t.mock.timers.tick(9_999)
      assert.equal(accepted.destroyed, false)
      const closed = once(remote, 'close')
      t.mock.timers.tick(1)
      assert.equal(accepted.destroyed, true)
      await closed
    })

  it('leaves a socket alone once its WebSocket is open, and names its slot', async t => {
    const slot = {}
    const opened = Promise.withResolvers<object>()
    const listener = patched({ slot, onConnection: (_, of) => opened.resolve(of) })
    const { accepted } = await connected(t, listener, UPGRADE)
    assert.equal(await opened.promise, slot)
    t.mock.timers.tick(60_000)
    assert.equal(accepted.destroyed, false)
  })

  it('closes a socket that may have no slot before it says anything', async t => {
    const listener = patched({ slot: undefined, onConnection: () => assert.fail() })
    const { accepted } = await connected(t, listener, '')
    assert.equal(accepted.destroyed, true)
  })

  it('closes a silent socket when the listener closes', async t => {
    const listener = patched({})
    const { remote } = await connected(t, listener, '')
    const closed = once(remote, 'close')
    await listener.close()
    await closed
  })

  it('lets the kernel keep each socket alive', async t => {
    const keptAlive = t.mock.method(net.Socket.prototype, 'setKeepAlive')
    await connected(t, patched({}), '')
    assert.deepEqual(
      keptAlive.mock.calls.map(call => call.arguments),
      [[true, 1_234]],
    )
  })

  refusesWithout(
    '@libp2p/websockets',
    { 'server.prependListener': () => {}, onWsServerConnection: () => {} },
    (listener: Listener) =>
      askAboutSockets(
        upgraderFor(() => {}),
        () => listener,
        {
          onSocket: () => ({}),
          onConnection: () => {},
          keepAliveMs: 1,
        },
      ),
  )
})

function patched(init: {
  slot?: object | undefined
  onConnection?: (connection: MultiaddrConnection, slot: object) => void
}): Listener {
  const { slot, onConnection = () => {} } = { slot: {}, ...init }
  return askAboutSockets(
    upgraderFor(() => {}),
    createListenerFor,
    {
      onSocket: () => slot,
      onConnection,
      keepAliveMs: 1_234,
    },
  )
}

/** Connects and sends some bytes. The test drives the clock from the connection on. */
async function connected(
  t: TestContext,
  listener: Listener,
  bytes: string,
): Promise<{ accepted: net.Socket; remote: net.Socket }> {
  const remote = new net.Socket()
  // before the listener is closed, which waits for the socket
  t.after(() => remote.destroy())
  const port = await listen(t, listener)
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const connecting = once(serverOf(listener), 'connection')
  remote
    .on('error', () => {})
    .connect(port, '127.0.0.1')
    .resume()
  const [accepted] = (await connecting) as [net.Socket]
  if (bytes !== '') {
    const received = once(accepted, 'readable')
    remote.write(bytes)
    await received
    await turn()
  }
  return { accepted, remote }
}
