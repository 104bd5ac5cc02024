/** Watches a machine's wire for a kind of packet, where an error code alone cannot tell who said what. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Machine } from './machine.ts'

export interface Sniffer {
  /** Resolves with the first packet that matched since the sniffer was started, as tcpdump prints it. */
  readonly packet: Promise<string>
}

/**
 * Resolves once the wire is watched. The sniffer ends with its machine.
 *
 * @param filter in the words of pcap-filter(7)
 */
export async function sniff(machine: Machine, filter: string): Promise<Sniffer> {
  const program = machine.spawn('tcpdump', ['-n', '-l', '--immediate-mode', '-i', machine.device, filter])
  const lines = createInterface({ input: program.stdout })
  const packet = new Promise<string>((resolve, reject) => {
    lines.once('line', resolve)
    lines.once('close', () => reject(new Error(`tcpdump in ${machine.name} ended`)))
  })
  packet.catch(() => {}) // whoever does not ask need not know
  const messages = createInterface({ input: program.stderr })
  for (;;) {
    const [message] = (await once(messages, 'line', { signal: AbortSignal.timeout(5000) })) as [string]
    if (message.includes('listening on')) return { packet }
  }
}
