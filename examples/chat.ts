/**
 * Two people type at each other, each behind a NAT. One waits, the other calls.
 *
 *     node examples/chat.ts RELAY        waits, and prints what the other one has to type
 *     node examples/chat.ts TARGET       calls
 */

import { finished } from 'node:stream/promises'
import { createPeer } from 'throughnat'
import { StreamDuplex } from './stream-duplex.ts'
import type { Stream } from '@libp2p/interface'

const PROTOCOL = '/example/chat/1'

const [addr] = process.argv.slice(2)
if (addr === undefined) {
  console.error('usage: node chat.ts RELAY | TARGET')
  process.exit(2)
}

const isCalling = addr.includes('/p2p-circuit')
const peer = await createPeer(isCalling ? {} : { relays: [addr] })
process.once('SIGINT', () => void hangUp(130))

if (isCalling) {
  const connection = await peer.connect(addr, { signal: AbortSignal.timeout(20_000) })
  // a stream stays on the path on which it was opened: a long one is worth a moment's wait
  await connection.direct({ signal: AbortSignal.timeout(10_000) }).catch(() => {})
  console.error(`talking, ${connection.path}`)
  await talk(await connection.newStream(PROTOCOL))
} else {
  await peer.handle(PROTOCOL, talk)
  await peer.reachable()
  console.error(`node examples/chat.ts ${peer.addrs[0]}`)
}

/** Until either side ends what it types. */
async function talk(stream: Stream): Promise<void> {
  console.error('connected; Ctrl-D ends')
  const duplex = new StreamDuplex(stream)
  process.stdin.pipe(duplex).pipe(process.stdout)
  duplex.once('end', () => duplex.end())
  await finished(duplex).catch((error: Error) => console.error(error.message))
  await hangUp(0)
}

async function hangUp(exitCode: number): Promise<void> {
  await peer.stop()
  process.exit(exitCode)
}
