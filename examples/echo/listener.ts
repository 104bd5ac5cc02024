/**
 * A program behind a NAT that others reach: it sends back what it gets.
 *
 *     node examples/echo/listener.ts RELAY
 */

import { pipeline } from 'node:stream/promises'
import { createPeer } from 'throughnat'
import { StreamDuplex } from '../stream-duplex.ts'

const [relay] = process.argv.slice(2)
if (relay === undefined) {
  console.error('usage: node listener.ts RELAY      (such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW...)')
  process.exit(2)
}

const peer = await createPeer({ relays: [relay] })
process.once('SIGINT', () => void peer.stop().then(() => process.exit(130)))

await peer.handle('/example/echo/1', async stream => {
  const duplex = new StreamDuplex(stream)
  // a caller that goes away is no reason to end
  await pipeline(duplex, duplex).catch((error: Error) => console.log(`cut: ${error.message}`))
})
peer.addEventListener('path:changed', ({ detail }) => console.log(`${detail.peerId} is now ${detail.path}`))

await peer.reachable() // a relay holds a reservation: from here on others can connect
console.log(`listening: ${peer.addrs[0]}`)
