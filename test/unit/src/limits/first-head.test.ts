/** An HTTP server that is given the head of one request of each socket. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'
import { describe, it } from 'node:test'
import { passFirstHead } from '../../../../src/limits/first-head.ts'
import { newCertificate } from '../../../network/certificates.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const BOUNDS = { maxBytes: 1024, timeoutMs: 10_000 }
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

interface Served {
  port: number
  requests: () => number
  server: http.Server
}

async function serve(
  t: TestContext,
  bounds = BOUNDS,
  server: http.Server = http.createServer(),
): Promise<Served> {
  let requests = 0
  server.on('request', (_, response: http.ServerResponse) => {
    requests++
    response.end('served')
  })
  passFirstHead(server, bounds)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, requests: () => requests, server }
}

/** What comes back until the server closes. */
async function answerTo(socket: net.Socket, ...parts: ReadonlyArray<string | Buffer>): Promise<string> {
  let text = ''
  // an error comes before it, where the kernel resets the connection
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.on('error', () => {})
  socket.on('data', data => (text += data.toString()))
  for (const part of parts) {
    socket.write(part)
    await new Promise(resolve => setImmediate(resolve))
  }
  if (!socket.closed) await closed
  return text
}

describe('a server that is given one head', LIMIT, () => {
  for (const [what, request] of [
    ['requests', GET],
    ['requests without any field', 'GET / HTTP/1.1\r\n\r\n'],
    ['requests with a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'],
    ['requests of HTTP/1.0', 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
    [
      'requests for an upgrade that it does not know',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    [
      'requests that expect to continue',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n',
    ],
  ] as const)
    it(`reads one of many ${what} on a socket`, async t => {
      const { port, requests } = await serve(t)
      await answerTo(net.connect(port, '127.0.0.1'), request.repeat(50_000))
      assert.ok(requests() <= 1, `${requests()}`)
    })

  it('answers a request that comes byte by byte', async t => {
    const { port } = await serve(t)
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    assert.match(await answerTo(socket, ...GET.split('')), /^HTTP\/1\.1 200 OK[^]*served$/)
  })

  it('has each socket ask once more for another request', async t => {
    const { port, requests } = await serve(t)
    const agent = new http.Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    for (let n = 0; n < 3; n++) {
      const request = http.get({ port, host: '127.0.0.1', agent })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      await once(response.resume(), 'end')
    }
    assert.equal(requests(), 3)
  })

  it('refuses a head that is too long', async t => {
    const { port, requests } = await serve(t, BOUNDS)
    const long = `GET / HTTP/1.1\r\nHost: a\r\nlong: ${'x'.repeat(100_000)}`
    assert.match(await answerTo(net.connect(port, '127.0.0.1'), long), /^HTTP\/1\.1 431 /)
    assert.equal(requests(), 0)
  })

  it('answers 408 to a head that has not come in time', async t => {
    const { port } = await serve(t, { maxBytes: 1024, timeoutMs: 50 })
    assert.match(await answerTo(net.connect(port, '127.0.0.1'), 'GET / '), /^HTTP\/1\.1 408 /)
  })

  it('closes sockets without a head with the others', async t => {
    const { port, server } = await serve(t)
    const accepted = once(server, 'connection')
    const socket = net.connect(port, '127.0.0.1')
    await accepted
    const closed = once(socket, 'close')
    socket.on('error', () => {})
    server.closeAllConnections()
    await closed
  })

  it('hands on what comes after an upgrade', async t => {
    const { port, server } = await serve(t)
    server.on('upgrade', (_, socket: net.Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    const socket = net.connect(port, '127.0.0.1')
    t.after(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(answer.toString(), / 101 /)
    for (const said of ['one', 'two']) {
      socket.write(said)
      const [heard] = (await once(socket, 'data')) as [Buffer]
      assert.equal(heard.toString(), said)
    }
  })

  it('does the same with TLS', async t => {
    const { key, cert } = newCertificate({ name: 'IP:127.0.0.1' })
    const { port, requests } = await serve(t, BOUNDS, https.createServer({ key, cert }))
    const connect = async (): Promise<net.Socket> => {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      return socket
    }
    assert.match(await answerTo(await connect(), GET), /^HTTP\/1\.1 200 OK/)
    // what was not read makes the kernel reset the connection, and the answer may be lost
    await answerTo(await connect(), GET.repeat(10_000))
    assert.equal(requests(), 2)
  })
})
