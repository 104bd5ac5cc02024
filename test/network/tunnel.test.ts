/**
 * Tunnels between two real nodes, directly and over a relay's circuit. Each test compares what came out with what went
 * in, on real TCP sockets at both far ends, so a tunnel that swallows, reorders, ends or resets wrongly fails it.
 */
import { createHash, randomFillSync } from 'node:crypto'
import { createServer, request } from 'node:http'
import { once, turns } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { forwardLocal } from '../../peer/tunnel/dialer/forward.ts'
import { openService } from '../../peer/tunnel/dialer/open-service.ts'
import { freePort } from './free-port.ts'
import {
  call,
  connectNodes,
  expose,
  exposePort,
  forward,
  outcome,
  paths,
  readAll,
  serve,
  serveEcho,
} from './tunnel-nodes.ts'

const timeout = 60_000

for (const path of paths) {
  describe(`over a ${path} connection`, { timeout }, () => {
    test('an HTTP server is reached, and told apart by its path in the event', async t => {
      const server = createServer((incoming, response) => {
        incoming.pipe(response.writeHead(200, { 'x-method': incoming.method ?? '' }))
      }).listen(0, '127.0.0.1')
      t.after(() => server.close())
      await once(server, 'listening')
      const nodes = await connectNodes(t, path)
      const services = await exposePort(t, nodes, (server.address() as AddressInfo).port)
      const opened = once(services, 'service:opened')
      const local = await forward(t, nodes)

      const outgoing = request({ ...local.address, method: 'POST', agent: false })
      outgoing.end('a body')
      const [response] = await once(outgoing, 'response')
      assert.equal(response.headers['x-method'], 'POST')
      assert.equal((await readAll(response)).toString(), 'a body')
      const [event] = await opened
      assert.deepEqual(event.detail, { peerId: nodes.dialer.peerId.toString(), path, service: 'web' })
    })

    test('the end of the caller is the end for the service, which answers after it', async t => {
      // A tunnel that closes both directions at once loses the answer; one that passes no end on never gets it.
      const service = await serve(t, socket => {
        void readAll(socket).then(request => socket.end(`got ${request.toString()}`))
      })
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, service.port)
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.end('all of it')
      assert.equal((await readAll(caller)).toString(), 'got all of it')
    })

    test('the end of the service is the end for the caller, who goes on sending', async t => {
      const { promise: received, resolve } = Promise.withResolvers<Buffer>()
      const service = await serve(t, socket => {
        socket.end('goodbye')
        void readAll(socket).then(resolve)
      })
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, service.port)
      const caller = await call(t, (await forward(t, nodes)).address.port)
      assert.equal((await readAll(caller)).toString(), 'goodbye')
      caller.end('after the end')
      assert.equal((await received).toString(), 'after the end')
    })

    test('64 MiB of random bytes cross both ways at once, unchanged', async t => {
      const service = await serveEcho(t)
      const nodes = await connectNodes(t, path)
      const services = await exposePort(t, nodes, service.port)
      const local = await forward(t, nodes)
      const closed = Promise.all([once(services, 'service:closed'), once(local, 'forward:closed')])
      const caller = await call(t, local.address.port)

      // Random bytes, so that a chunk lost, doubled or out of place changes the digest.
      const [sent, received] = [createHash('sha256'), createHash('sha256')]
      const total = 64 * 1024 * 1024
      const sending = (async () => {
        for (let bytes = 0; bytes < total; bytes += 1024 * 1024) {
          const chunk = randomFillSync(Buffer.allocUnsafe(1024 * 1024))
          sent.update(chunk)
          if (!caller.write(chunk)) await once(caller, 'drain')
        }
        caller.end()
      })()
      for await (const chunk of caller) received.update(chunk as Buffer)
      await sending
      assert.equal(received.digest('hex'), sent.digest('hex'))

      const [[serviceEvent], [forwardEvent]] = await closed
      for (const { detail } of [serviceEvent, forwardEvent]) {
        assert.equal(detail.error, undefined)
        assert.equal(detail.bytesIn, total)
        assert.equal(detail.bytesOut, total)
      }
    })

    test('a reset by the service resets the caller', async t => {
      const service = await serve(t, socket => void once(socket, 'data').then(() => socket.resetAndDestroy()))
      const nodes = await connectNodes(t, path)
      const services = await exposePort(t, nodes, service.port)
      const closed = once(services, 'service:closed')
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.write('x')
      assert.equal(await outcome(caller), 'ECONNRESET')
      assert.equal((await closed)[0].detail.error.code, 'ECONNRESET')
    })

    test('a reset by the caller resets the service', async t => {
      const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
      const service = await serve(t, resolve)
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, service.port)
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.write('x')
      const socket = await accepted
      await once(socket, 'data')
      caller.resetAndDestroy()
      assert.equal(await outcome(socket), 'ECONNRESET')
    })

    test('a connection lost between the peers, and not made again in time, resets both ends', async t => {
      const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
      const service = await serve(t, resolve)
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, service.port, { keptMs: 500 })
      const caller = await call(t, (await forward(t, nodes, { keptMs: 500 })).address.port)
      caller.write('x')
      const socket = await accepted
      await once(socket, 'data')
      const outcomes = Promise.all([outcome(caller), outcome(socket)])
      nodes.connection.abort(new Error('pulled the plug'))
      assert.deepEqual(await outcomes, ['ECONNRESET', 'ECONNRESET'])
    })

    test('a caller of a service that is down is reset at once', async t => {
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, await freePort())
      const local = await forward(t, nodes)
      const failed = once(local, 'forward:failed')
      const caller = await call(t, local.address.port)
      const before = performance.now()
      assert.equal(await outcome(caller), 'ECONNRESET')
      // Far below every limit that could end it otherwise: 10 s for the service, 30 s for the answer.
      assert.ok(performance.now() - before < 5000)
      const { error } = (await failed)[0].detail
      assert.deepEqual([error.name, error.reason], ['ServiceRefusedError', 'service-down'])
    })

    test('200 connections at a time each get their own bytes back', async t => {
      const service = await serveEcho(t)
      const nodes = await connectNodes(t, path)
      await exposePort(t, nodes, service.port)
      const local = await forward(t, nodes)
      const callers = await Promise.all(Array.from({ length: 200 }, () => call(t, local.address.port)))
      // All are answered once before any of them ends, so that they are open at the same time.
      await Promise.all(
        callers.map(async (caller, index) => {
          caller.write(`${index} `)
          const [first] = await once(caller, 'data')
          assert.equal(first.toString(), `${index} `)
        }),
      )
      const answers = await Promise.all(
        callers.map((caller, index) => {
          caller.end(`${index}`.repeat(1000))
          return readAll(caller)
        }),
      )
      assert.deepEqual(
        answers.map(String),
        callers.map((_, index) => `${index}`.repeat(1000)),
      )
    })

    test('a service that does not exist and one that is closed to the peer are refused alike', async t => {
      const service = await serveEcho(t)
      const nodes = await connectNodes(t, path)
      const address = { host: '127.0.0.1', port: service.port }
      const services = await expose(t, nodes, {
        services: new Map([
          ['ruled', address],
          ['unruled', address],
        ]),
        allow: new Map([['ruled', new Set([nodes.listener.peerId.toString()])]]),
      })
      const reasons: string[] = []
      services.addEventListener('service:refused', event => void reasons.push(event.detail.reason))
      for (const name of ['ruled', 'unruled', 'missing', '../etc/passwd']) {
        await assert.rejects(openService(nodes.openStream, name), {
          name: 'ServiceRefusedError',
          reason: 'refused',
          service: name,
        })
      }
      assert.deepEqual(reasons, ['not-allowed', 'not-allowed', 'unknown', 'unknown'])
    })
  })
}

test('a peer on the list is let in', { timeout }, async t => {
  const service = await serveEcho(t)
  const nodes = await connectNodes(t, 'direct')
  await expose(t, nodes, {
    services: new Map([['web', { host: '127.0.0.1', port: service.port }]]),
    allow: new Map([['web', new Set([nodes.dialer.peerId.toCID().toString()])]]),
  })
  const caller = await call(t, (await forward(t, nodes)).address.port)
  caller.end('hello')
  assert.equal((await readAll(caller)).toString(), 'hello')
})

test('a peer without services is told apart from one that refuses', { timeout }, async t => {
  const nodes = await connectNodes(t, 'direct')
  await assert.rejects(openService(nodes.openStream, 'web'), {
    name: 'ServiceRefusedError',
    reason: 'protocol',
  })
})

test('stopping both sides resets what is open and leaves nothing behind', { timeout }, async t => {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const service = await serve(t, resolve)
  const nodes = await connectNodes(t, 'direct')
  const services = await exposePort(t, nodes, service.port)
  const local = await forward(t, nodes)
  const caller = await call(t, local.address.port)
  const handles = (): string[] => process.getActiveResourcesInfo().filter(kind => kind.startsWith('TCP'))
  caller.write('x')
  const socket = await accepted
  await once(socket, 'data')
  const before = handles().length
  const outcomes = Promise.all([outcome(caller), outcome(socket)])
  const closed = Promise.all([caller, socket].map(end => new Promise(resolve => end.on('close', resolve))))
  await Promise.all([services.stop(), services.stop(), local.stop(), local.stop()])
  assert.deepEqual(await outcomes, ['ECONNRESET', 'ECONNRESET'])
  await closed
  // Gone: the listening port, and both sockets of both TCP connections.
  assert.equal(handles().length, before - 5)
  assert.deepEqual(
    nodes.connection.streams.filter(stream => stream.protocol.includes('tunnel')),
    [],
  )
  await assert.rejects(call(t, local.address.port), { code: 'ECONNREFUSED' })
  await assert.rejects(openService(nodes.openStream, 'web'), {
    name: 'ServiceRefusedError',
    reason: 'protocol',
  })
})

test('a signal stops a forward', { timeout }, async t => {
  const nodes = await connectNodes(t, 'direct')
  const controller = new AbortController()
  const init = { host: '127.0.0.1', port: 0, openStream: nodes.openStream, service: 'web' }
  const local = await forwardLocal({ ...init, signal: controller.signal })
  controller.abort()
  await local.stop()
  await assert.rejects(call(t, local.address.port), { code: 'ECONNREFUSED' })
  await assert.rejects(forwardLocal({ ...init, signal: controller.signal }), { name: 'AbortError' })
})

test('a caller that has said more than the listener takes at once, before there is a stream, loses nothing', {
  timeout,
}, async t => {
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, (await serveEcho(t)).port)
  const gate = Promise.withResolvers<void>()
  const local = await forwardLocal({
    host: '127.0.0.1',
    port: 0,
    service: 'web',
    openStream: async (protocols, options) => {
      await gate.promise
      return nodes.openStream(protocols, options)
    },
  })
  t.after(() => local.stop())
  const sent = randomFillSync(Buffer.alloc(300_000))
  const caller = await call(t, local.address.port)
  // a byte, and then as much as one read of a socket takes: more than a window together
  caller.write(sent.subarray(0, 1))
  await turns(20)
  caller.end(sent.subarray(1))
  await turns(20)
  gate.resolve()
  assert.deepEqual(await readAll(caller), sent)
})
