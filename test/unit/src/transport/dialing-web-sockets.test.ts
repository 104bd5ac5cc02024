/** The transport that dials WebSockets and loads them when it does. test/network/web-socket-dials.test.ts dials relays with it. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { isTransport } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { dialingWebSockets } from '../../../../src/transport/dialing-web-sockets.ts'
import type { Transport } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { AddressInfo } from 'node:net'

const LIMIT = { timeout: 10_000 }
const components = { logger: defaultLogger() } as WebSocketsComponents
const options = { upgrader: {} } as Parameters<Transport['dial']>[1]

const addrs = [
  '/ip4/192.0.2.1/tcp/443/tls/ws',
  '/ip4/192.0.2.1/tcp/80/ws',
  '/dns4/relay.example/tcp/443/wss',
  '/dns4/relay.example/tcp/443/tls/sni/relay.example/ws/http-path/a%2Fb',
  '/ip6/2001:db8::1/tcp/80/ws/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw',
  '/ip4/192.0.2.1/tcp/80',
  '/ip4/192.0.2.1/udp/80/quic-v1',
  '/ip4/192.0.2.1/tcp/80/ws/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw/p2p-circuit',
].map(it => multiaddr(it))

describe('dialingWebSockets()', LIMIT, () => {
  const transport = dialingWebSockets()(components)

  it('is a transport that takes the addresses which that of @libp2p/websockets takes', () => {
    assert.ok(isTransport(transport))
    const taken = transport.dialFilter(addrs)
    assert.deepEqual(taken.map(String), webSockets()(components).dialFilter(addrs).map(String))
    assert.ok(taken.length > 0 && taken.length < addrs.length)
  })

  it('listens on no address', () => {
    assert.deepEqual(transport.listenFilter(addrs), [])
    assert.throws(() => transport.createListener({} as never), { name: 'UnsupportedOperationError' })
  })

  it('gives the cause of a dial that is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const signal = AbortSignal.timeout(LIMIT.timeout)
    const dial = transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/ws`), { ...options, signal })
    await assert.rejects(dial, error => {
      const { name, cause } = error as Error & { cause: NodeJS.ErrnoException }
      return name === 'ConnectionFailedError' && cause.code === 'ECONNREFUSED'
    })
  })

  it('gives the reason of a dial that was aborted, also before it is loaded', async () => {
    const reason = new Error('the reason')
    for (const it of [transport, dialingWebSockets()(components)])
      await assert.rejects(
        it.dial(multiaddr('/ip4/127.0.0.1/tcp/1/ws'), { ...options, signal: AbortSignal.abort(reason) }),
        reason,
      )
  })

  it('asks the judge about the address of a name', async () => {
    const reason = new Error('the judge says no')
    const judge = { isGiven: () => false, resolve: async () => Promise.reject(reason) }
    const signal = AbortSignal.timeout(LIMIT.timeout)
    const dial = dialingWebSockets(judge)(components).dial(multiaddr('/dns4/relay.example/tcp/80/ws'), {
      ...options,
      signal,
    })
    await assert.rejects(dial, reason)
  })
})
