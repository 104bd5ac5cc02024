/**
 * Which ports of this host are those of a relay's clients, as the kernel's tables of connections show.
 *
 * Peers dial their relays from the port that they listen on. So a peer on this host can be told from any other program
 * that listens here. Only Linux publishes such a table (proc_pid_net(5)).
 */

import { readFileSync } from 'node:fs'
import { isOwnHost } from '../addresses/interfaces.ts'
import { printed } from './unacknowledged.ts'
import type { Endpoint } from '../addresses/endpoint.ts'

/** Fields of a line: sl, local_address, rem_address, st. */
const LOCAL = 1
const REMOTE = 2
const STATE = 3

/** `TCP_ESTABLISHED` of include/net/tcp_states.h. */
const ESTABLISHED = '01'

/** The local ports of connections from this host to a relay; undefined where the system does not say. */
export function portsOfClients({ host, port }: Endpoint): ReadonlySet<number> | undefined {
  const lines = [...linesOf('tcp'), ...linesOf('tcp6')]
  if (lines.length === 0) return undefined
  // a relay on this host has several addresses, and each client has chosen one
  const isRelay = isOwnHost(host)
    ? (text: string): boolean => portIn(text) === port
    : (text: string): boolean => [printed(host, port), printed(`::ffff:${host}`, port)].includes(text)
  return new Set(
    lines.flatMap(line => {
      const fields = line.trim().split(/\s+/)
      const isClient = fields[STATE] === ESTABLISHED && isRelay(fields[REMOTE] ?? '')
      return isClient ? [portIn(fields[LOCAL] ?? '')] : []
    }),
  )
}

function portIn(endpoint: string): number {
  return Number.parseInt(endpoint.split(':')[1] ?? '', 16)
}

function linesOf(table: 'tcp' | 'tcp6'): string[] {
  try {
    return readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)
  } catch {
    return []
  }
}
