/** A relay's WebSocket address that cannot be dialled is reported with the cause. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import tls from 'node:tls'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createPeer } from '../../peer/index.ts'
import { directory, Program, THROUGHNAT } from './program.ts'
import { newCertificate } from './certificates.ts'
import { startRelay } from './circuit-stage.ts'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { TestCertificate } from './certificates.ts'

const LIMIT = { timeout: 40_000 }
const RELAY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const DAY_MS = 86_400_000

async function portOf(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {})
    sockets.add(socket)
  })
  server.listen(0)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Why a peer has no reservation at the relay with this address. */
async function reasonAt(t: TestContext, addr: string): Promise<string> {
  const peer = await createPeer({ relays: [`${addr}/p2p/${RELAY}`] })
  t.after(() => peer.stop())
  const { promise, resolve } = Promise.withResolvers<string>()
  peer.addEventListener('reservation:failed', ({ detail }) => resolve(detail.reason), { once: true })
  return promise
}

const answering =
  (...lines: string[]) =>
  (_request: unknown, socket: { end: (text: string) => void }): void =>
    socket.end(`${lines.join('\r\n')}\r\n\r\n`)

const upgrading = (...lines: string[]): Server => createHttpServer().on('upgrade', answering(...lines))

describe('a WebSocket dial that fails', () => {
  describe('without TLS', () => {
    const cases: ReadonlyArray<[string, () => Server, RegExp]> = [
      [
        'an answer of 404',
        () => createHttpServer((_, response) => response.writeHead(404).end()),
        /^it answers 404 Not Found instead of opening a WebSocket; check the port, and the path/,
      ],
      [
        'an answer of 404 to the upgrade',
        () => upgrading('HTTP/1.1 404 Not Found', 'content-length: 0'),
        /^it answers 404 Not Found/,
      ],
      [
        'a redirection',
        () => upgrading('HTTP/1.1 301 Moved', 'location: http://127.0.0.1:1/', 'content-length: 0'),
        /^it answers 301 Moved Permanently/,
      ],
      [
        'a proxy without its relay',
        () => upgrading('HTTP/1.1 502 Bad Gateway', 'content-length: 0'),
        /^it answers 502 Bad Gateway/,
      ],
      [
        'a web server that ignores the upgrade',
        () => createHttpServer((_, response) => response.end('hello')),
        /^it answers 200 OK instead of opening a WebSocket/,
      ],
      [
        'an acceptance that is wrong',
        () =>
          upgrading(
            'HTTP/1.1 101 Switching Protocols',
            'Upgrade: websocket',
            'Connection: Upgrade',
            'Sec-WebSocket-Accept: no',
          ),
        /^what answers there is no WebSocket server$/,
      ],
      [
        'an SSH server',
        () => createServer(socket => socket.end('SSH-2.0-OpenSSH_9\r\n')),
        /^it does not speak HTTP on this port/,
      ],
      [
        'a reset',
        () => createServer(socket => socket.once('data', () => socket.resetAndDestroy())),
        /^the connection was reset: .* \(ECONNRESET\)$/,
      ],
      [
        'a close',
        () => createServer(socket => socket.once('data', () => socket.end())),
        /^it closed the connection without an answer; .*\/tls\/ws.*\(UND_ERR_SOCKET\)$/,
      ],
      [
        'a server that speaks TLS',
        () => createHttpsServer({ ...newCertificate({ name: 'DNS:localhost' }) }),
        /\/tls\/ws in place of \/ws/,
      ],
    ]
    for (const [what, create, reason] of cases)
      it(`reports ${what}`, LIMIT, async t => {
        const port = await portOf(t, create())
        assert.match(await reasonAt(t, `/ip4/127.0.0.1/tcp/${port}/ws`), reason)
      })

    it('reports that nothing listens there, over IPv4 and by name', LIMIT, async t => {
      const port = await freePort()
      for (const host of ['/ip4/127.0.0.1', '/dns4/localhost', '/dns/localhost'])
        assert.equal(await reasonAt(t, `${host}/tcp/${port}/ws`), 'nothing listens there (ECONNREFUSED)')
    })

    it('reports that the name does not exist', LIMIT, async t => {
      const reason = await reasonAt(t, '/dns4/no-such-name.invalid/tcp/4001/ws')
      assert.match(reason, /^the name (does not exist|server does not answer) \((ENOTFOUND|EAI_AGAIN)\)$/)
    })

    it('reports a port that the Fetch standard blocks', LIMIT, async t => {
      assert.match(
        await reasonAt(t, '/ip4/127.0.0.1/tcp/6000/ws'),
        /^Node\.js opens no WebSocket to this port/,
      )
    })
  })

  describe('with TLS', () => {
    const good = newCertificate({ name: 'DNS:localhost' })
    const expired = newCertificate({
      name: 'DNS:localhost',
      from: new Date('2020-01-01'),
      until: new Date('2020-01-02'),
    })
    const early = newCertificate({
      name: 'DNS:localhost',
      from: new Date(Date.now() + DAY_MS),
      until: new Date(Date.now() + 2 * DAY_MS),
    })
    const other = newCertificate({ name: 'DNS:relay.example' })
    const trusted = tls.getCACertificates('default')

    before(() =>
      tls.setDefaultCACertificates([...trusted, ...[expired, early, other].map(it => String(it.cert))]),
    )
    after(() => tls.setDefaultCACertificates(trusted))

    const cases: ReadonlyArray<[string, TestCertificate, RegExp]> = [
      ['expired', expired, /^its certificate has expired \(CERT_HAS_EXPIRED\)$/],
      [
        'not valid yet',
        early,
        /^its certificate is not valid yet; check this machine's clock \(CERT_NOT_YET_VALID\)$/,
      ],
      ['for another name', other, /^its certificate is for another name \(ERR_TLS_CERT_ALTNAME_INVALID\)$/],
      [
        'self-signed',
        good,
        /^its certificate is self-signed; .*NODE_EXTRA_CA_CERTS.*\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
      ],
    ]
    for (const [what, certificate, reason] of cases)
      it(`reports a certificate that is ${what}`, LIMIT, async t => {
        const port = await portOf(t, createHttpsServer({ ...certificate }))
        assert.match(await reasonAt(t, `/dns4/localhost/tcp/${port}/tls/ws`), reason)
      })

    it('reports a server without TLS', LIMIT, async t => {
      const port = await portOf(t, createHttpServer())
      const reason = await reasonAt(t, `/dns4/localhost/tcp/${port}/tls/ws`)
      assert.match(reason, /^it does not speak TLS on this port; its address may end in \/ws/)
    })

    it('reports that nothing listens there', LIMIT, async t => {
      const reason = await reasonAt(t, `/dns4/localhost/tcp/${await freePort()}/tls/ws`)
      assert.equal(reason, 'nothing listens there (ECONNREFUSED)')
    })
  })

  it('reports the cause of each of several at the same time', LIMIT, async t => {
    const notFound = await portOf(
      t,
      createHttpServer((_, response) => response.writeHead(404).end()),
    )
    const ports = [notFound, await freePort(), notFound, await freePort()]
    const reasons = await Promise.all(ports.map(port => reasonAt(t, `/ip4/127.0.0.1/tcp/${port}/ws`)))
    assert.deepEqual(
      reasons.map(reason => /404|ECONNREFUSED/.exec(reason)?.[0]),
      ['404', 'ECONNREFUSED', '404', 'ECONNREFUSED'],
    )
  })

  it('is reported by ping', LIMIT, async t => {
    const port = await portOf(
      t,
      createHttpServer((_, response) => response.writeHead(404).end()),
    )
    const args = ['ping', `/ip4/127.0.0.1/tcp/${port}/ws/p2p/${RELAY}`, '--data-dir', await directory(t)]
    const ping = new Program(t, THROUGHNAT, args, { json: false })
    assert.equal(await ping.ended(), 4)
    assert.match(
      ping.stderr,
      /^error: Cannot reach .*: it answers 404 Not Found instead of opening a WebSocket/m,
    )
  })

  it('rejects with the reason of the signal when that fires first', LIMIT, async t => {
    const port = await portOf(t, createServer())
    const peer = await createPeer({ relays: [] })
    t.after(() => peer.stop())
    const signal = AbortSignal.timeout(300)
    const addr = `/ip4/127.0.0.1/tcp/${port}/ws/p2p/${RELAY}`
    await assert.rejects(peer.connect(addr, { signal }), { name: 'TimeoutError' })
  })

  it('does not keep others from being opened', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
    const peer = await createPeer({ relays: [...relay.addrs] })
    t.after(() => peer.stop())
    await peer.reachable({ signal: AbortSignal.timeout(20_000) })
  })
})

describe('src/patches/libp2p-websockets/dial-errors.ts', () => {
  it('exists because @libp2p/websockets rejects with an event that has no cause', LIMIT, async t => {
    const node = await createLibp2p({ transports: [webSockets()] })
    t.after(() => node.stop())
    const { components } = node as unknown as {
      components: { transportManager: { dial: (addr: unknown) => Promise<unknown> } }
    }
    const addr = multiaddr(`/ip4/127.0.0.1/tcp/${await freePort()}/ws`)
    const reason: unknown = await components.transportManager.dial(addr).catch((error: unknown) => error)
    assert.ok(!(reason instanceof Error), String(reason))
    assert.equal((reason as { message: string }).message, '')
  })
})
