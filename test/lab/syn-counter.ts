/** Counts the SYNs that pass a machine's wire, as whoever is punched at without having asked would see them. */

import { createInterface } from 'node:readline'
import { startTcpdump } from './net/sniffer.ts'
import type { Machine } from './net/machine.ts'

export interface SynCounter {
  /** All so far. */
  readonly count: number
  /** How many went to each endpoint, `11.0.1.1:4001`. */
  readonly byEndpoint: ReadonlyMap<string, number>
  /** The most in any one second. */
  readonly mostInOneSecond: number
  /** From the first to the last, in seconds. */
  readonly seconds: number
}

/**
 * Resolves once the machine's wire is watched, until the machine ends.
 *
 * @param which - in the words of pcap-filter(7); what the machine is sent, unless told
 */
export async function countSyns(
  machine: Machine,
  which: string = `dst host ${machine.address}`,
): Promise<SynCounter> {
  // tcpdump knows flags of IPv4 alone
  const filter = `${which} and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn`
  const program = await startTcpdump(machine, ['-l', '-tt', filter])
  const at: number[] = []
  const byEndpoint = new Map<string, number>()
  createInterface({ input: program.stdout }).on('line', line => {
    const [, seconds, host, port] = /^(\d+\.\d+) .* > (\S+)\.(\d+): /.exec(line) ?? []
    at.push(Number(seconds))
    const endpoint = `${host}:${port}`
    byEndpoint.set(endpoint, (byEndpoint.get(endpoint) ?? 0) + 1)
  })
  return {
    get count() {
      return at.length
    },
    byEndpoint,
    get mostInOneSecond() {
      let most = 0
      for (let from = 0, to = 0; to < at.length; to++) {
        while (at[to]! - at[from]! >= 1) from++
        most = Math.max(most, to - from + 1)
      }
      return most
    },
    get seconds() {
      return at.length === 0 ? 0 : at.at(-1)! - at[0]!
    },
  }
}
