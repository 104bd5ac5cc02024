/** Listening on all addresses of a name. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { listenOnHost, portOf } from '../../../../src/addresses/listen-on-host.ts'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 10_000 }
const both = async (): Promise<string[]> => ['127.0.0.1', '::1']

async function listening(t: TestContext, port: number, resolve = both): Promise<Server[]> {
  const servers = await listenOnHost(
    () => createServer(socket => socket.end()),
    { host: 'localhost', port },
    resolve,
  )
  t.after(() => servers.forEach(it => it.close()))
  return servers
}

describe('listening on a name', () => {
  it('takes all its addresses, at one port', LIMIT, async t => {
    const servers = await listening(t, 0)
    for (const host of await both()) {
      const socket = connect(portOf(servers), host).resume()
      await once(socket, 'close')
    }
    assert.equal(servers.length, 2)
  })

  it('takes both loopback addresses for localhost, whatever the hosts file says', LIMIT, async t => {
    const servers = await listenOnHost(() => createServer(), { host: 'localhost', port: 0 })
    t.after(() => servers.forEach(it => it.close()))
    assert.deepEqual(servers.map(it => (it.address() as AddressInfo).address).toSorted(), [
      '127.0.0.1',
      '::1',
    ])
  })

  it('leaves out an address that this machine does not have', LIMIT, async t => {
    const servers = await listening(t, 0, async () => ['198.51.100.1', '127.0.0.1'])
    assert.equal(servers.length, 1)
  })

  it('fails if this machine has none of them, or the name does not exist', LIMIT, async t => {
    await assert.rejects(
      listening(t, 0, async () => ['198.51.100.1', '203.0.113.1']),
      { code: 'EADDRNOTAVAIL' },
    )
    const unknown = async (): Promise<never> => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND x'), { code: 'ENOTFOUND' })
    }
    await assert.rejects(listening(t, 0, unknown), { code: 'ENOTFOUND' })
  })

  it('fails if the port is taken at one of them, and leaves none listening', LIMIT, async t => {
    const [, six] = await listening(t, 0)
    const port = portOf([six as Server])
    await assert.rejects(
      listening(t, port, async () => ['127.0.0.2', '::1']),
      { code: 'EADDRINUSE' },
    )
    const socket = connect(port, '127.0.0.2')
    await assert.rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' })
  })

  it('takes one server for a numeric address', LIMIT, async t => {
    const servers = await listenOnHost(
      () => createServer(),
      { host: '127.0.0.1', port: 0 },
      async () => assert.fail(),
    )
    t.after(() => servers.forEach(it => it.close()))
    assert.equal(servers.length, 1)
  })
})
