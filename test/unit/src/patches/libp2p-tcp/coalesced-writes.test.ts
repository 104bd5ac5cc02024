import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { tcp } from '@libp2p/tcp'
import { Uint8ArrayList } from 'uint8arraylist'
import { coalesceWrites } from '../../../../../src/patches/libp2p-tcp/coalesced-writes.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { acceptedBy } from './accepted.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

describe('@libp2p/tcp', LIMIT, () => {
  it('hands each part of a message to the kernel by itself, which is the fault', async t => {
    assert.equal(await writesFor(t, it => it), 4)
  })
})

describe('coalesceWrites()', LIMIT, () => {
  it('hands to the kernel what is sent in one turn at one time', async t => {
    assert.equal(await writesFor(t, coalesceWrites), 1)
  })

  const members = { socket: {}, 'socket.cork': () => {}, 'socket.uncork': () => {}, sendData: () => {} }
  refusesWithout('@libp2p/tcp', members, coalesceWrites)
})

/**
 * Sends two messages with their lengths in one turn. Resolves with the number of writes that it takes when
 * all has arrived.
 */
async function writesFor(
  t: TestContext,
  patch: (connection: MultiaddrConnection) => MultiaddrConnection,
): Promise<number> {
  const { connection, remote, listener } = await acceptedBy(tcp())
  t.after(() => listener.close())
  const { socket } = connection as unknown as { socket: Socket }
  const each = t.mock.method(socket, '_write')
  const together = t.mock.method(socket as Required<Socket>, '_writev')
  patch(connection)
  for (const message of ['one', 'other'])
    connection.send(new Uint8ArrayList(Uint8Array.of(0, message.length), Buffer.from(message)))
  let arrived = ''
  while (arrived.length < 12) arrived += String((await once(remote, 'data'))[0])
  assert.equal(arrived, '\0\x03one\0\x05other')
  return each.mock.callCount() + together.mock.callCount()
}
