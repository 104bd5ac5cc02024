import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { boundFirstByte } from '../../../../../src/patches/libp2p-websockets/first-byte.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, listen, serverOf } from './listening.ts'
import type { Listener } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

describe('@libp2p/websockets', LIMIT, () => {
  it('waits without end for the first byte, which is the fault', async t => {
    const signals = t.mock.method(AbortSignal, 'timeout')
    const { accepted } = await connected(t, () => {})
    t.mock.timers.tick(24 * 60 * 60 * 1000)
    await turn()
    assert.equal(accepted.destroyed, false)
    // what the clock of the test does not drive
    assert.deepEqual([accepted.timeout, signals.mock.callCount()], [undefined, 0])
  })
})

describe('boundFirstByte()', LIMIT, () => {
  it('ends a socket without a first byte after 10 s', async t => {
    const { accepted, remote } = await connected(t, boundFirstByte)
    t.mock.timers.tick(9_999)
    assert.equal(accepted.destroyed, false)
    const closed = once(remote, 'close')
    t.mock.timers.tick(1)
    assert.equal(accepted.destroyed, true)
    await closed
  })

  it('leaves a socket alone once a byte has come', async t => {
    const { accepted, remote } = await connected(t, boundFirstByte)
    const readable = once(accepted, 'readable')
    remote.write('G')
    await readable
    t.mock.timers.tick(60_000)
    assert.equal(accepted.destroyed, false)
  })

  refusesWithout('@libp2p/websockets', { 'server.on': () => {} }, boundFirstByte)
})

/** Connects, and sends nothing. The test drives the clock from then on. */
async function connected(
  t: TestContext,
  patch: (listener: Listener) => void,
): Promise<{ accepted: Socket; remote: Socket }> {
  const listener = createListener()
  patch(listener)
  const remote = new Socket()
  // before the listener is closed, which waits for the socket
  t.after(() => remote.destroy())
  const port = await listen(t, listener)
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const connecting = once(serverOf(listener), 'connection')
  remote
    .on('error', () => {})
    .connect(port, '127.0.0.1')
    .resume()
  const [accepted] = (await connecting) as [Socket]
  return { accepted, remote }
}
