import assert from 'node:assert/strict'
import dns from 'node:dns'
import { createServer } from 'node:http'
import { describe, it, mock } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { pinNames } from '../../../../../src/patches/libp2p-websockets/pinned-names.ts'
import { once } from '../../../../waits.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { AddressJudge } from '../../../../../src/patches/libp2p-websockets/pinned-names.ts'

const LIMIT = { timeout: 10_000 }

interface Dialling {
  _connect(addr: Multiaddr, options: AbortOptions): Promise<WebSocket>
}

const judge = (found: (addr: Multiaddr) => string): AddressJudge => ({
  isGiven: () => false,
  resolve: async addr => [multiaddr(found(addr))],
})

describe('@libp2p/websockets', LIMIT, () => {
  it('looks up a name after it was judged, which is the fault', async t => {
    const { port, requests } = await startServer(t)
    // the name server's second answer
    t.after(() => mock.restoreAll())
    mock.method(dns, 'lookup', (_host: string, options: { all?: boolean }, callback: Function) =>
      options.all === true
        ? callback(null, [{ address: '127.0.0.1', family: 4 }])
        : callback(null, '127.0.0.1', 4),
    )
    await assert.rejects(dial(it => it, `/dns4/rebinding.example/tcp/${port}/ws`))
    assert.deepEqual(requests, [`rebinding.example:${port}`])
  })
})

describe('pinNames()', LIMIT, () => {
  it('connects to the address that was judged, under the name', async t => {
    const { port, requests } = await startServer(t)
    mock.method(dns, 'lookup', () => assert.fail('a name was looked up again'))
    t.after(() => mock.restoreAll())
    const at = judge(() => `/ip4/127.0.0.1/tcp/${port}`)
    await assert.rejects(dial(it => pinNames(it, at), `/dns4/rebinding.example/tcp/${port}/ws`))
    assert.deepEqual(requests, [`rebinding.example:${port}`])
  })

  for (const scheme of ['ws', 'wss', 'tls/ws'])
    it(`opens no connection by ${scheme} where the judge refuses`, async t => {
      const { port, connections } = await startServer(t)
      const refusing: AddressJudge = {
        isGiven: () => false,
        resolve: async () => Promise.reject(new TypeError('refused')),
      }
      for (const host of ['/ip4/127.0.0.1', '/dns4/localhost'])
        await assert.rejects(
          dial(it => pinNames(it, refusing), `${host}/tcp/${port}/${scheme}`),
          /refused/,
        )
      assert.equal(connections(), 0)
    })

  it('dials what was given as it is', async t => {
    const { port, requests } = await startServer(t)
    const given: AddressJudge = { isGiven: () => true, resolve: () => assert.fail('it was judged') }
    await assert.rejects(dial(it => pinNames(it, given), `/dns4/localhost/tcp/${port}/ws`))
    assert.deepEqual(requests, [`localhost:${port}`])
  })

  refusesWithout('@libp2p/websockets', { _connect: () => {} }, it => pinNames(it, judge(String)))
})

/** A web server that refuses WebSockets. */
async function startServer(
  t: TestContext,
): Promise<{ port: number; requests: string[]; connections: () => number }> {
  const requests: string[] = []
  let connections = 0
  const server = createServer((_, response) => response.writeHead(404).end())
  server.on('connection', () => connections++)
  server.on('upgrade', (request, socket) => {
    requests.push(String(request.headers.host))
    socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, requests, connections: () => connections }
}

async function dial(patch: (transport: object) => object, addr: string): Promise<WebSocket> {
  const components = { logger: defaultLogger(), events: new EventTarget() } as unknown as WebSocketsComponents
  const transport = patch(webSockets()(components)) as Dialling
  return transport._connect(multiaddr(addr), { signal: AbortSignal.timeout(5_000) })
}
