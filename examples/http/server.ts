/**
 * An HTTP server behind a NAT. No port is opened for it: its connections come over streams.
 *
 *     node examples/http/server.ts RELAY
 */

import { createServer } from 'node:http'
import { createPeer } from 'throughnat'
import { StreamDuplex } from '../stream-duplex.ts'

const [relay] = process.argv.slice(2)
if (relay === undefined) {
  console.error('usage: node server.ts RELAY      (such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW...)')
  process.exit(2)
}

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.end(`You asked for ${request.url}. This page was served behind a NAT.\n`)
})

const peer = await createPeer({ relays: [relay] })
process.once('SIGINT', () => void peer.stop().then(() => process.exit(130)))

// https://nodejs.org/api/http.html#event-connection: any Duplex may be injected as a connection
await peer.handle('/example/http/1', stream => void server.emit('connection', new StreamDuplex(stream)))

await peer.reachable()
console.log(`serving: ${peer.addrs[0]}`)
