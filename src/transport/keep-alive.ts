/**
 * How a connection notices that the other side has gone without a word, and keeps the mappings of the NATs in between: the kernels of both sides do it, and
 * wake neither program.
 */

import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'

/**
 * After so much silence the kernel asks whether the other side is there, in milliseconds, and so on until it has not answered this many times. A mapping that a NAT has
 * forgotten, and a cable that was pulled, are noticed within 8 s; it costs 2 packets in 5 s on an idle connection, 75 KiB an hour.
 */
const KEEP_ALIVE = { enable: true, initialDelay: 5_000, interval: 1_000, count: 3 } as const

/** Has the kernel watch over a connection of `@libp2p/tcp`; leaves one that is built otherwise as it is. Returns it. */
export function keepAlive<Connection extends MultiaddrConnection>(connection: Connection): Connection {
  const { socket } = connection as { socket?: Socket & { setKeepAlive(options: typeof KEEP_ALIVE): void } }
  socket?.setKeepAlive(KEEP_ALIVE)
  return connection
}
