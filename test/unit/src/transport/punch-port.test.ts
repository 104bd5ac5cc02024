/** The port that a listener shares with outbound sockets. */

import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import {
  assertPortIsFree,
  bindToPunchPort,
  canSharePort,
  PunchPorts,
  reserveSparePort,
} from '../../../../src/transport/punch-port.ts'
import { once, turns } from '../../../waits.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

async function listen(t: TestContext, options: net.ListenOptions): Promise<number> {
  const server = net.createServer(socket => socket.destroy())
  t.after(() => server.close())
  server.listen(options)
  await once(server, 'listening', { signal: t.signal })
  return (server.address() as AddressInfo).port
}

describe('the punch ports', () => {
  test('serve remotes of their own family', () => {
    const ports = new PunchPorts()
    ports.add({ host: '0.0.0.0', port: 4 })
    assert.equal(ports.for('8.8.8.8')?.port, 4)
    assert.equal(ports.for('2a00:1450:4001::1'), undefined)
    ports.add({ host: '::', port: 6 })
    assert.equal(ports.for('2a00:1450:4001::1')?.port, 6)
    assert.deepEqual([ports.port(4), ports.port(6)], [4, 6])
  })

  test('on loopback serve remotes on loopback alone', () => {
    const ports = new PunchPorts()
    ports.add({ host: '127.0.0.1', port: 4 })
    ports.add({ host: '::1', port: 6 })
    assert.equal(ports.for('8.8.8.8'), undefined)
    assert.equal(ports.for('2a00:1450:4001::1'), undefined)
    assert.equal(ports.for('127.0.0.1')?.port, 4)
    assert.equal(ports.for('::1')?.port, 6)
  })

  test('are those of the first listener that will do, until it closes', () => {
    const ports = new PunchPorts()
    ports.add({ host: '127.0.0.1', port: 1 })
    const release = ports.add({ host: '0.0.0.0', port: 2 })
    ports.add({ host: '0.0.0.0', port: 3 })
    assert.equal(ports.for('8.8.8.8')?.port, 2)
    release()
    release()
    assert.equal(ports.for('8.8.8.8')?.port, 3)
  })

  test('are settled once every listener that was announced is bound or has failed', async () => {
    const ports = new PunchPorts()
    const [bound, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    ports.announce(bound.promise)
    ports.announce(failed.promise)
    let isSettled = false
    const settled = ports.settled().then(() => (isSettled = true))
    bound.resolve()
    await turns(1)
    assert.equal(isSettled, false)
    failed.reject(new Error('taken'))
    await settled
    await ports.settled()
  })
})

describe('binding', { skip: !canSharePort() && 'this platform cannot share a TCP port' }, () => {
  test('an outbound socket leaves from the port of a listener', async t => {
    const seen = Promise.withResolvers<number | undefined>()
    const remote = net.createServer(socket => {
      seen.resolve(socket.remotePort)
      socket.destroy()
    })
    t.after(() => remote.close())
    remote.listen(0, '127.0.0.1')
    await once(remote, 'listening', { signal: t.signal })
    const port = await listen(t, { host: '127.0.0.1', port: 0, reusePort: true })
    const handle = bindToPunchPort({ host: '127.0.0.1', port })
    const to = { host: '127.0.0.1', port: (remote.address() as AddressInfo).port }
    const socket = net.connect({ ...to, handle } as net.NetConnectOpts)
    t.after(() => socket.destroy())
    assert.equal(await seen.promise, port)
  })

  test('a port that another socket listens on is not free, although both share it', async t => {
    const port = await listen(t, { host: '127.0.0.1', port: 0, reusePort: true })
    assert.throws(() => assertPortIsFree({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' })
    // SO_REUSEPORT alone would have let it through
    bindToPunchPort({ host: '127.0.0.1', port }).close()
  })

  test('a port that another socket listens on for all addresses is not free on one of them', async t => {
    const port = await listen(t, { host: '0.0.0.0', port: 0, reusePort: true })
    assert.throws(() => assertPortIsFree({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' })
  })

  test('a port that nobody has is free, and stays so', () => {
    const { address, release } = reserveSparePort(4)
    release()
    assertPortIsFree(address)
    assertPortIsFree(address)
  })

  for (const family of [4, 6] as const) {
    test(`a spare port of IPv${family} is one that no other holds, and can be dialled from`, () => {
      const [one, other] = [reserveSparePort(family), reserveSparePort(family)]
      assert.equal(net.isIP(one.address.host), family)
      assert.notEqual(one.address.port, other.address.port)
      bindToPunchPort(one.address).close()
      one.release()
      other.release()
    })
  }
})
