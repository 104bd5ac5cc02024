/**
 * A libp2p application of one's own that begins to punch: `tcp()` and `dcutr()` come from here, nothing else changes.
 *
 *     node examples/libp2p.ts RELAY [TARGET]
 */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { dcutr, tcp } from 'throughnat/libp2p'

const [relay, target] = process.argv.slice(2)
if (relay === undefined) {
  console.error('usage: node libp2p.ts RELAY [TARGET]      (TARGET is what it prints without one)')
  process.exit(2)
}

const node = await createLibp2p({
  addresses: { listen: ['/ip4/0.0.0.0/tcp/0', `${relay}/p2p-circuit`] },
  // tcp() first: it learns from the circuit addresses that pass by which dials are to relays
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), dcutr: dcutr() },
})
process.once('SIGINT', () => void stop())

node.services.dcutr.addEventListener('holepunch:succeeded', ({ detail }) =>
  console.log(`direct: ${detail.remoteAddr}`),
)
node.services.dcutr.addEventListener('holepunch:failed', ({ detail }) =>
  console.log(`relayed: ${detail.reason}`),
)
node.addEventListener('self:peer:update', () => {
  const circuit = node.getMultiaddrs().find(addr => addr.toString().includes('/p2p-circuit'))
  if (circuit !== undefined) console.log(`listening: ${circuit}`)
})

if (target !== undefined) {
  const connection = await node.dial(multiaddr(target))
  console.log(`connected: ${connection.remoteAddr}`)
}

async function stop(): Promise<void> {
  await node.stop()
  process.exit(130)
}
