/** Forwarded connections outlive their paths, on real sockets at both far ends, directly and over a relay's circuit. */

import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  call,
  connectNodes,
  exposePort,
  forward,
  outcome,
  paths,
  readAll,
  serveEcho,
} from './tunnel-nodes.ts'
import { openService } from '../../peer/tunnel/dialer/open-service.ts'
import { once } from '../waits.ts'
import type { Connection } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Nodes, Path } from './tunnel-nodes.ts'

const timeout = 60_000

/** Two nodes that connect again whenever a stream is wanted and there is no connection. */
async function connectAgain(
  t: TestContext,
  path: Path,
): Promise<{ nodes: Nodes; current: () => Connection }> {
  const nodes = await connectNodes(t, path)
  const { dialer, connection } = nodes
  const { remoteAddr } = connection
  let current = connection
  nodes.openStream = async (protocols, options) => {
    if (current.status !== 'open') current = await dialer.dial(remoteAddr, { signal: options.signal })
    return current.newStream(protocols, options)
  }
  return { nodes, current: () => current }
}

for (const path of paths) {
  describe(`a forwarded connection over a ${path} path`, { timeout }, () => {
    test('goes on, byte for byte, though the path is lost seven times in the midst of 32 MiB', async t => {
      const { port } = await serveEcho(t)
      const { nodes, current } = await connectAgain(t, path)
      await exposePort(t, nodes, port)
      const caller = await call(t, (await forward(t, nodes)).address.port)
      const sent = randomBytes(32 * 1024 * 1024)
      let received = 0
      let losses = 0
      caller.on('data', chunk => {
        received += chunk.byteLength
        if (losses < 7 && received > ((losses + 1) * sent.byteLength) / 8) {
          losses++
          current().abort(new Error('pulled the plug'))
        }
      })
      const read = readAll(caller)
      caller.end(sent)
      assert.ok((await read).equals(sent))
      assert.equal(losses, 7)
    })

    test('moves to another path when there is one, and leaves the one before', async t => {
      const { port } = await serveEcho(t)
      const { nodes } = await connectAgain(t, path)
      await exposePort(t, nodes, port)
      const moves = new EventTarget()
      const onPath = (listener: () => void): (() => void) => {
        moves.addEventListener('path', listener)
        return () => moves.removeEventListener('path', listener)
      }
      const caller = await call(t, (await forward(t, nodes, { onPath })).address.port)
      caller.write('one')
      await once(caller, 'data')
      const { dialer, connection } = nodes
      const better = await dialer.dial(connection.remoteAddr, { force: true })
      nodes.openStream = (protocols, options) => better.newStream(protocols, options)
      moves.dispatchEvent(new Event('path'))
      caller.write('two')
      await once(caller, 'data')
      await connection.close()
      caller.end('three')
      assert.equal((await readAll(caller)).toString(), 'three')
    })

    test('is opened over the next path when the first is lost before the request has left', async t => {
      const { port } = await serveEcho(t)
      const { nodes, current } = await connectAgain(t, path)
      await exposePort(t, nodes, port)
      const { openStream } = nodes
      let opened = 0
      nodes.openStream = async (protocols, options) => {
        const stream = await openStream(protocols, options)
        if (++opened === 1) current().abort(new Error('pulled the plug'))
        return stream
      }
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.end('hello')
      assert.equal((await readAll(caller)).toString(), 'hello')
    })

    test('is opened once, with what was said early, though its path is lost before the answer has come', async t => {
      const { port } = await serveEcho(t)
      const { nodes, current } = await connectAgain(t, path)
      const services = await exposePort(t, nodes, port)
      let opened = 0
      services.addEventListener('service:opened', () => {
        opened++
        current().abort(new Error('pulled the plug'))
      })
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.end('hello')
      assert.equal((await readAll(caller)).toString(), 'hello')
      assert.equal(opened, 1)
    })

    test('is given up when each of its paths is lost before an answer has come', async t => {
      const { port } = await serveEcho(t)
      const { nodes, current } = await connectAgain(t, path)
      await exposePort(t, nodes, port)
      const { openStream } = nodes
      let opened = 0
      const broken: typeof openStream = async (protocols, options) => {
        const stream = await openStream(protocols, options)
        // every other one asks whether the one before has been let in
        if (++opened % 2 === 1) current().abort(new Error('pulled the plug'))
        return stream
      }
      await assert.rejects(openService(broken, 'web'), { name: 'ServiceRefusedError', reason: 'protocol' })
      assert.equal(opened, 6)
    })

    test('is reset when the listener, started anew, knows nothing of it', async t => {
      const { port } = await serveEcho(t)
      const { nodes, current } = await connectAgain(t, path)
      const services = await exposePort(t, nodes, port)
      const caller = await call(t, (await forward(t, nodes)).address.port)
      caller.write('one')
      await once(caller, 'data')
      const ended = outcome(caller)
      current().abort(new Error('pulled the plug'))
      await services.stop()
      await nodes.listener.unhandle('/throughnat/tunnel/2')
      await exposePort(t, nodes, port)
      assert.equal(await ended, 'ECONNRESET')
    })
  })
}
