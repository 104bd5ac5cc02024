/** Watches two NATs: the packets on their outside, and every change of their tables of connections. */

import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { startTcpdump } from '../../test/lab/net/sniffer.ts'
import { readPacket, readTableChange } from './timeline.ts'
import type { Readable } from 'node:stream'
import type { Nat } from '../../test/lab/net/network.ts'
import type { Packet, TableChange } from './timeline.ts'

/** What passes between the NATs of two peers, and what it does to their tables. Ends with the network. */
export class Sight {
  readonly packets: Packet[] = []
  readonly changes: TableChange[] = []
  readonly #lines = new EventEmitter()

  /** Resolves once both NATs are watched. */
  static async of(nats: readonly [Nat, Nat]): Promise<Sight> {
    const sight = new Sight()
    const hosts = nats.map(nat => nat.externalAddress)
    const isBetween = ({ entry }: TableChange): boolean =>
      [entry.reply.from, entry.reply.to].every(endpoint => hosts.includes(endpoint.split(':')[0] ?? ''))
    for (const nat of nats) {
      const filter = `tcp and host ${hosts.join(' and host ')}`
      const tcpdump = await startTcpdump(nat, ['-l', '-tt', filter])
      sight.#read(tcpdump.stdout, line => {
        const packet = readPacket(nat, line)
        if (packet !== undefined) sight.packets.push(packet)
      })
      const conntrack = nat.spawn('conntrack', ['-E', '-p', 'tcp', '-o', 'timestamp'])
      sight.#read(conntrack.stdout, line => {
        const change = readTableChange(nat.name, line)
        if (change !== undefined && isBetween(change)) sight.changes.push(change)
      })
    }
    return sight
  }

  /** Resolves when enough has been seen; rejects when that takes longer than `timeoutMs`. */
  async until(isEnough: (sight: Sight) => boolean, timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs)
    while (!isEnough(this)) await once(this.#lines, 'line', { signal })
  }

  #read(output: Readable, onLine: (line: string) => void): void {
    createInterface({ input: output }).on('line', line => {
      onLine(line)
      this.#lines.emit('line')
    })
  }
}
