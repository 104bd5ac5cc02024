/**
 * Reaches the listener: through the relay at once, directly as soon as there is a way.
 *
 *     node examples/echo/dialer.ts TARGET
 */

import { createPeer } from 'throughnat'
import type { PeerConnection } from 'throughnat'

const [target] = process.argv.slice(2)
if (target === undefined) {
  console.error('usage: node dialer.ts TARGET       (what listener.ts prints)')
  process.exit(2)
}

const peer = await createPeer()
process.once('SIGINT', () => void peer.stop().then(() => process.exit(130)))
try {
  const connection = await peer.connect(target, { signal: AbortSignal.timeout(20_000) })
  await echo(connection, 'hello')
  await turnDirect(connection)
  await echo(connection, 'hello again')
} catch (error) {
  console.error((error as Error).message) // it says what failed, with what, and what to do
  process.exitCode = 1
} finally {
  await peer.stop()
}

async function echo(connection: PeerConnection, text: string): Promise<void> {
  const stream = await connection.newStream('/example/echo/1') // over the best path there is now
  stream.send(Buffer.from(text))
  await stream.close() // nothing more to send; what comes back is still read
  const answer: Uint8Array[] = []
  for await (const data of stream) answer.push(data.subarray())
  console.log(`${connection.path}: ${Buffer.concat(answer).toString()}`)
}

async function turnDirect(connection: PeerConnection): Promise<void> {
  try {
    await connection.direct({ signal: AbortSignal.timeout(30_000) })
  } catch (error) {
    console.log((error as Error).message) // the circuit goes on carrying data
  }
}
