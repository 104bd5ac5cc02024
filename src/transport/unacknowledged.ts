/** What the kernel knows of bytes that the other side has not acknowledged. */

import { readFileSync } from 'node:fs'
import ipaddr from 'ipaddr.js'
import type { Socket } from 'node:net'

/** Fields of a line of proc_pid_net(5): sl, local_address, rem_address, st, tx_queue:rx_queue, tr:tm->when, retrnsmt, ... */
const LOCAL = 1
const REMOTE = 2
const QUEUES = 4
const REPETITIONS = 6

/**
 * Of some connected sockets those on which bytes are not acknowledged, each with how often the kernel has repeated them. Those of which the kernel does not tell are left
 * out; only Linux does. The kernel's table holds all connections of the network namespace: it is read once for all sockets.
 */
export function unacknowledged(sockets: readonly Socket[]): Map<Socket, number> {
  const all = new Map([...connections('tcp'), ...connections('tcp6')])
  return new Map(
    sockets.flatMap(socket => {
      const repetitions = all.get(nameOf(socket))
      return repetitions === undefined ? [] : [[socket, repetitions] as const]
    }),
  )
}

/** Repetitions by connection, of those that have bytes under way. */
function connections(table: 'tcp' | 'tcp6'): Array<[string, number]> {
  return lines(table).flatMap(line => {
    const fields = line.trim().split(/\s+/)
    if (fields[QUEUES]?.startsWith('00000000:') !== false) return []
    return [[`${fields[LOCAL]} ${fields[REMOTE]}`, Number.parseInt(fields[REPETITIONS] ?? '0', 16)]]
  })
}

function lines(table: 'tcp' | 'tcp6'): string[] {
  try {
    // the first line names the fields
    return readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)
  } catch {
    return []
  }
}

function nameOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${printed(localAddress, localPort)} ${printed(remoteAddress, remotePort)}`
}

/** An endpoint as the kernel prints it: words of 32 bits in the byte order of the machine, which is little endian nearly everywhere. Empty if there is none. */
export function printed(address = '', port = 0): string {
  if (!ipaddr.isValid(address)) return ''
  const bytes = Buffer.from(ipaddr.parse(address).toByteArray())
  return `${bytes.swap32().toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}
