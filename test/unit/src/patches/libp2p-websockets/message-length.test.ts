import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { boundMessages } from '../../../../../src/patches/libp2p-websockets/message-length.ts'
import { ignoreSocketErrors } from '../../../../../src/patches/libp2p-websockets/socket-errors.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, listen } from './listening.ts'
import type { Listener } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const MIB = 1024 * 1024

describe('@libp2p/websockets', LIMIT, () => {
  it('accepts a message of 16 MiB, which is the fault', async t => {
    assert.equal(await outcomeOf(t, 16 * MIB, () => {}), 'accepted')
  })

  it('leaves the limit to ws, which has 100 MiB', () => {
    const { wsServer } = createListener() as unknown as { wsServer: { options: { maxPayload: number } } }
    assert.equal(wsServer.options.maxPayload, 100 * MIB)
  })
})

describe('boundMessages()', LIMIT, () => {
  for (const [bytes, outcome] of [
    [MIB, 'accepted'],
    [MIB + 1, 'closed with 1009'],
    [16 * MIB, 'closed with 1009'],
  ] as const)
    it(`has a message of ${bytes} bytes ${outcome}`, async t => {
      assert.equal(await outcomeOf(t, bytes, boundMessages), outcome)
    })

  refusesWithout('@libp2p/websockets', { 'wsServer.options.maxPayload': 1 }, boundMessages)
})

/** Sends a message of so many bytes to a listener. */
async function outcomeOf(
  t: TestContext,
  bytes: number,
  patch: (listener: Listener) => void,
): Promise<string> {
  const arrived = Promise.withResolvers<string>()
  const listener = createListener(connection =>
    connection.addEventListener('message', ({ data }) => {
      assert.equal(data.byteLength, bytes)
      arrived.resolve('accepted')
    }),
  )
  patch(listener)
  // a message that is too long is an error of the WebSocket
  ignoreSocketErrors(listener)
  const port = await listen(t, listener)
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}`)
  const closed = once(webSocket, 'close') as Promise<[CloseEvent]>
  await once(webSocket, 'open')
  webSocket.send(new Uint8Array(bytes))
  const outcome = await Promise.race([arrived.promise, closed.then(([{ code }]) => `closed with ${code}`)])
  webSocket.close()
  await closed
  return outcome
}
