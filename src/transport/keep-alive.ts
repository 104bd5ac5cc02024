/**
 * How a connection notices that the other side has gone without a word, and keeps the mappings of the NATs in between.
 *
 * While a connection is idle the kernels of both sides do it, and wake neither program. A connection on which something was written and not yet acknowledged is not
 * idle: the kernel repeats that for a quarter of an hour before it gives up, and Node does not offer TCP_USER_TIMEOUT. So it is asked how often it has repeated.
 */

import { readFileSync } from 'node:fs'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'

/**
 * After so much silence the kernel asks whether the other side is there, in milliseconds, and so on until it has not answered this many times. A mapping that a NAT has
 * forgotten, and a cable that was pulled, are noticed within 7 s; test/lab/resilience.test.ts measures what it costs. Where 5 % of all packets are lost, four unanswered
 * questions in a row are one in 10,000.
 */
const KEEP_ALIVE = { enable: true, initialDelay: 3_000, interval: 1_000, count: 4 } as const

/** How often a connection is looked at on which something was written, in milliseconds. */
const LOOK_MS = 2_000

/** Repetitions without any answer after which the other side is gone: the first comes after a round trip or 200 ms, each takes twice as long as the one before. */
const REPETITIONS = 4

/** Has a connection of `@libp2p/tcp` watched over; leaves one that is built otherwise as it is. Returns it. */
export function keepAlive<Connection extends MultiaddrConnection>(connection: Connection): Connection {
  const { socket } = connection as { socket?: Socket & { setKeepAlive(options: typeof KEEP_ALIVE): void } }
  if (socket === undefined) return connection
  socket.setKeepAlive(KEEP_ALIVE)
  let heard = socket.bytesRead
  const timer = setInterval(() => {
    const isSilent = socket.bytesRead === heard
    heard = socket.bytesRead
    // a reset: what was not acknowledged would hold the port of a punch for minutes
    if (isSilent && repetitions(socket) >= REPETITIONS)
      connection.abort(Object.assign(new Error('the other side does not answer'), { code: 'ETIMEDOUT' }))
  }, LOOK_MS).unref()
  socket.once('close', () => clearInterval(timer))
  return connection
}

/** How often the kernel has repeated what it sent last; 0 where it does not tell (only Linux does). */
function repetitions({ localPort = 0, remotePort = 0, remoteAddress = '', remoteFamily }: Socket): number {
  const local = hexadecimal(localPort)
  const remote =
    remoteFamily === 'IPv6'
      ? hexadecimal(remotePort)
      : `${reversed(remoteAddress)}:${hexadecimal(remotePort)}`
  // proc_pid_net(5): sl, local_address, rem_address, st, tx_queue:rx_queue, tr:tm->when, retrnsmt, ...
  const found = connections(remoteFamily === 'IPv6' ? 'tcp6' : 'tcp').filter(
    fields => fields[1]?.endsWith(`:${local}`) === true && fields[2]?.endsWith(remote) === true,
  )
  // of IPv6 only the ports are compared: where two remotes share one it is not known which is meant
  return found.length === 1 ? Number.parseInt(found[0]?.[6] ?? '0', 16) : 0
}

function hexadecimal(port: number): string {
  return port.toString(16).padStart(4, '0').toUpperCase()
}

/** An IPv4 address as the kernel prints it: a number in the byte order of the machine, which is little endian nearly everywhere. */
function reversed(address: string): string {
  const bytes = address.split('.').map(byte => Number(byte).toString(16).padStart(2, '0').toUpperCase())
  return bytes.toReversed().join('')
}

function connections(table: 'tcp' | 'tcp6'): string[][] {
  try {
    const lines = readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n')
    return lines.map(line => line.trim().split(/\s+/))
  } catch {
    return []
  }
}
