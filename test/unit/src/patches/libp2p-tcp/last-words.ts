/** What a connection that a listener has accepted sends right before the listener is closed. */

import { once } from 'node:events'
import { acceptedBy } from './accepted.ts'
import type { TCPComponents } from '@libp2p/tcp'
import type { Listening } from './accepted.ts'

/** Sends so many bytes, closes, and resolves with the number of those that arrive. */
export async function lastWords(
  tcp: (components: TCPComponents) => Listening,
  bytes: number,
): Promise<number> {
  const { listener, connection, remote } = await acceptedBy(tcp)
  let arrived = 0
  remote.on('data', data => (arrived += data.byteLength)).on('error', () => {})
  const ended = once(remote, 'close')
  connection.send(Buffer.alloc(bytes))
  await listener.close()
  await ended
  return arrived
}
