import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { passHttpsServer } from '../../../../../src/patches/libp2p-websockets/https-server.ts'
import { createListener } from './listening.ts'
import type { Listener } from '@libp2p/interface'

const LIMIT = { timeout: 10_000 }
const SECURE = multiaddr('/ip4/127.0.0.1/tcp/0/tls/ws')
const PLAIN = multiaddr('/ip4/127.0.0.1/tcp/0/ws')

/** A listener whose `listen()` does nothing, with this HTTPS server. */
function listenerWith(https: object | undefined): Listener {
  return { listen: async () => {}, https } as unknown as Listener
}

describe('@libp2p/websockets', LIMIT, () => {
  it('takes a renewed certificate only from the events of AutoTLS, which is the fault', () => {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(createListener()))
    assert.deepEqual(
      methods.filter(name => /certificate|context/i.test(name)),
      ['onCertificateProvision', 'onCertificateRenew'],
    )
  })
})

describe('passHttpsServer()', LIMIT, () => {
  it('hands out the server of a listener for /tls/ws once it listens', async () => {
    const https = { setSecureContext: () => {} }
    const listener = listenerWith(https)
    const servers: object[] = []
    passHttpsServer(listener, server => servers.push(server))
    assert.deepEqual(servers, [])
    await listener.listen(SECURE)
    assert.deepEqual(servers, [https])
  })

  it('leaves a listener for /ws alone', async () => {
    const listener = listenerWith(undefined)
    passHttpsServer(listener, () => assert.fail())
    await listener.listen(PLAIN)
  })

  it('fails loudly if the server is not there', async () => {
    const listener = listenerWith({})
    passHttpsServer(listener, () => assert.fail())
    await assert.rejects(listener.listen(SECURE), {
      name: 'UpstreamChangedError',
      packageName: '@libp2p/websockets',
    })
  })
})
