/**
 * A tunnel without continuity, to tell what that costs: libp2p streams joined to sockets, and nothing else.
 *
 *     plain-tunnel.ts listen RELAY PORT              carries to a local port; prints its peer id
 *     plain-tunnel.ts forward RELAY PEER             once it is direct, prints the port that it listens on
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createPeer } from '../../peer/index.ts'
import { splice } from '../../peer/tunnel/wire/splice.ts'
import { keepYoungGenerationSmall } from '../../src/cli/runtime/v8-heap.ts'
import type { AddressInfo } from 'node:net'

const PROTOCOL = '/throughnat-bench/plain-tunnel/1'

/** libp2p's own limit is 32, less than the benchmark has side by side. */
const STREAMS = { maxInboundStreams: 1_024, maxOutboundStreams: 1_024 }

const [mode, relay = '', to = ''] = process.argv.slice(2)

keepYoungGenerationSmall()
if (mode === 'listen') await listen(Number(to))
else await forward(to)

async function listen(port: number): Promise<void> {
  const peer = await createPeer({ relays: [relay] })
  await peer.libp2p.handle(
    PROTOCOL,
    async stream => {
      stream.pause()
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
      await once(socket, 'connect')
      await splice(socket, stream)
    },
    STREAMS,
  )
  await peer.reachable()
  console.log(String(peer.peerId))
}

async function forward(target: string): Promise<void> {
  const peer = await createPeer({ relays: [relay], reserve: false })
  const connection = await peer.connect(target)
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket => {
    void connection.newStream(PROTOCOL, STREAMS).then(stream => {
      stream.pause()
      return splice(socket, stream)
    })
  })
  server.listen(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), connection.direct()])
  console.log((server.address() as AddressInfo).port)
}
