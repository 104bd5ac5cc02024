import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { tcp } from '@libp2p/tcp'
import { Uint8ArrayList } from 'uint8arraylist'
import { coalesceWrites } from '../../../../../src/patches/libp2p-tcp/coalesced-writes.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { acceptedBy } from './accepted.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

const iteration = promisify(setImmediate)

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

  it('sends what the first turn of an iteration writes before the event loop goes on', async t => {
    const { connection, writes } = await patched(t)
    const writesBefore: number[] = []
    await new Promise<void>(resolve => {
      setImmediate(() => {
        connection.send(Buffer.from('one'))
        void Promise.resolve().then(() => connection.send(Buffer.from('two')))
      })
      setImmediate(() => {
        writesBefore.push(writes())
        connection.send(Buffer.from('three'))
      })
      setImmediate(() => {
        writesBefore.push(writes())
        connection.send(Buffer.from('four'))
        resolve()
      })
    })
    await iteration()
    assert.deepEqual([...writesBefore, writes()], [1, 1, 2])
  })

  it('sends in each iteration what it writes', async t => {
    const { connection, writes } = await patched(t)
    for (let n = 1; n <= 3; n++) {
      connection.send(Buffer.from('hello'))
      await iteration()
      assert.equal(writes(), n)
    }
  })

  it('joins the parts of small messages, and not those of large ones', async t => {
    for (const [size, expected] of [
      [1000, 1],
      [5000, 2],
    ] as const) {
      const { connection, remote } = await patched(t)
      const write = t.mock.method((connection as unknown as { socket: Socket }).socket, 'write')
      connection.send(new Uint8ArrayList(Buffer.alloc(size, 'a'), Buffer.alloc(size, 'b')))
      assert.equal(write.mock.callCount(), expected)
      let arrived = ''
      while (arrived.length < 2 * size) arrived += String((await once(remote, 'data'))[0])
      assert.equal(arrived, 'a'.repeat(size) + 'b'.repeat(size))
    }
  })

  const members = { socket: {}, 'socket.cork': () => {}, 'socket.uncork': () => {}, sendData: () => {} }
  refusesWithout('@libp2p/tcp', members, coalesceWrites)
})

interface Counted {
  connection: MultiaddrConnection
  remote: Socket
  /** Writes to the kernel so far. */
  writes: () => number
}

async function patched(t: TestContext, patch = coalesceWrites): Promise<Counted> {
  const { connection, remote, listener } = await acceptedBy(tcp())
  t.after(() => listener.close())
  const { socket } = connection as unknown as { socket: Socket }
  const each = t.mock.method(socket, '_write')
  const together = t.mock.method(socket as Required<Socket>, '_writev')
  patch(connection)
  return { connection, remote, writes: () => each.mock.callCount() + together.mock.callCount() }
}

/**
 * Sends two messages with their lengths in one turn. Resolves with the number of writes that it takes when
 * all has arrived.
 */
async function writesFor(t: TestContext, patch: typeof coalesceWrites): Promise<number> {
  const { connection, remote, writes } = await patched(t, patch)
  for (const message of ['one', 'other'])
    connection.send(new Uint8ArrayList(Uint8Array.of(0, message.length), Buffer.from(message)))
  let arrived = ''
  while (arrived.length < 12) arrived += String((await once(remote, 'data'))[0])
  assert.equal(arrived, '\0\x03one\0\x05other')
  return writes()
}
