import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { unacknowledged } from '../../../../src/transport/unacknowledged.ts'
import { once } from '../../../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** More than the buffers of both kernels hold. */
const MUCH = 64 * 1024 * 1024

interface Pair {
  socket: Socket
  other: Socket
}

async function connected(t: TestContext, host: string): Promise<Pair> {
  const server = createServer({ pauseOnConnect: true })
  t.after(() => server.close())
  await once(server.listen(0, host), 'listening')
  const socket = connect((server.address() as AddressInfo).port, host)
  t.after(() => socket.destroy())
  const [other] = (await once(server, 'connection')) as [Socket]
  t.after(() => other.destroy())
  return { socket, other }
}

describe('bytes that are not acknowledged', { skip: process.platform !== 'linux' }, () => {
  for (const host of ['127.0.0.1', '::1'])
    it(`are told of a connection with ${host} whose other side does not read, and of no other`, async t => {
      const stuck = await connected(t, host)
      const idle = await connected(t, host)
      stuck.socket.write(Buffer.alloc(MUCH))
      idle.other.resume()
      idle.socket.write('read and acknowledged')
      await once(idle.other, 'data')
      // on loopback what was sent has arrived, so that nothing was repeated
      assert.deepEqual([...unacknowledged([stuck.socket, idle.socket])], [[stuck.socket, 0]])
    })

  it('are none of a socket that is gone', async t => {
    const { socket } = await connected(t, '127.0.0.1')
    socket.destroy()
    assert.equal(unacknowledged([socket]).size, 0)
  })
})
