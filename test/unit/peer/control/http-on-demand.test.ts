/** The HTTP server that loads node:http when a client connects. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { HttpOnDemand } from '../../../../peer/control/http-on-demand.ts'
import type { ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

const LIMIT = { timeout: 20_000 }
const REQUEST = 'GET /status HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n'

async function start(options: ServerOptions = {}): Promise<{ http: HttpOnDemand; connect: () => Socket }> {
  const http = new HttpOnDemand(options, ({ url }, response) => response.end(`answer to ${url}`))
  http.listener.listen(0, '127.0.0.1')
  await once(http.listener, 'listening')
  const { port } = http.listener.address() as AddressInfo
  return { http, connect: () => createConnection(port, '127.0.0.1').on('error', () => {}) }
}

describe('an HTTP server on demand', LIMIT, () => {
  it('answers its first clients, which come before it is ready, and later ones', async () => {
    const { http, connect } = await start()
    await using _http = http
    const ask = async (): Promise<string> => text(connect().end(REQUEST))
    for (const answer of await Promise.all([ask(), ask(), ask()])) assert.match(answer, /answer to \/status$/)
    assert.match(await ask(), /answer to \/status$/)
  })

  it('answers a request that comes in pieces, the first of them before it is ready', async () => {
    const { http, connect } = await start()
    await using _http = http
    const socket = connect()
    for (const piece of REQUEST.match(/.{1,7}/gs) ?? []) {
      socket.write(piece)
      await new Promise(setImmediate)
    }
    assert.match(await text(socket), /answer to \/status$/)
  })

  for (const [name, sent] of Object.entries({ nothing: '', 'half a head': REQUEST.slice(0, 20) }))
    it(`closes a client that sends ${name} when its time is over`, async () => {
      const times = { requestTimeout: 50, headersTimeout: 50, connectionsCheckingInterval: 20 }
      const { http, connect } = await start(times)
      await using _http = http
      const socket = connect()
      socket.write(sent)
      socket.resume()
      await once(socket, 'close')
    })

  it('closes idle clients when it is disposed of', async () => {
    const { http, connect } = await start()
    const socket = connect()
    await once(socket, 'connect')
    socket.resume()
    const closed = once(socket, 'close')
    await http[Symbol.asyncDispose]()
    await closed
  })

  it('goes on when a client resets its connection immediately', async () => {
    const { http, connect } = await start()
    await using _http = http
    const socket = connect()
    await once(socket, 'connect')
    socket.resetAndDestroy()
    assert.match(await text(connect().end(REQUEST)), /answer to \/status$/)
  })

  it('can be disposed of before any client', async () => {
    const { http } = await start()
    await http[Symbol.asyncDispose]()
    assert.equal(http.listener.listening, false)
  })
})
