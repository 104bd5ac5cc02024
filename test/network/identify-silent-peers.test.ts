/** Whom the relay asks who they are. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startRelay } from './circuit-stage.ts'
import { RESERVE, startClient, statusOf } from './hop-client.ts'
import type { TestContext } from 'node:test'
import type { Connection } from '@libp2p/interface'

/** Longer than the relay waits before it asks. That it does not ask is no event, so the test has to let this time pass. */
const LONG_MS = 1_500

const TIMEOUT = { timeout: 10_000 }

/** A peer that has just connected, and resolves `asked` when the relay asks it who it is. */
async function connect(t: TestContext): Promise<{ connection: Connection; asked: Promise<string> }> {
  const relay = await startRelay(t)
  const node = await startClient(t)
  const asked = new Promise<string>(resolve => {
    void node.handle('/ipfs/id/1.0.0', async (stream, { remotePeer }) => {
      resolve(remotePeer.toString())
      stream.send(Buffer.alloc(1000))
      await stream.close()
    })
  })
  const connection = await node.dial(relay.addrs[0]!)
  return { connection, asked }
}

it(
  'the relay asks a peer that has asked for nothing who it is, as rust-libp2p waits for',
  TIMEOUT,
  async t => {
    const { connection, asked } = await connect(t)
    assert.equal(await asked, connection.remotePeer.toString())
    assert.equal(await statusOf(connection, RESERVE), 100)
  },
)

it('the relay does not ask a peer that reserves at once', TIMEOUT, async t => {
  const { connection, asked } = await connect(t)
  assert.equal(await statusOf(connection, RESERVE), 100)
  assert.equal(await Promise.race([asked, pause(LONG_MS, 'not asked')]), 'not asked')
})
