/** Watches a machine's wire for a kind of packet, where an error code alone cannot tell who said what. */
import { createInterface } from 'node:readline'
import { inTime } from '../../waits.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
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
  const program = await startTcpdump(machine, ['-l', filter])
  const lines = createInterface({ input: program.stdout })
  const packet = new Promise<string>((resolve, reject) => {
    lines.once('line', resolve)
    lines.once('close', () => reject(new Error(`tcpdump in ${machine.name} ended`)))
  })
  packet.catch(() => {}) // whoever does not ask need not know
  return { packet }
}

/** Resolves once the machine's uplink is watched. */
export async function startTcpdump(
  machine: Machine,
  options: readonly string[],
): Promise<ChildProcessWithoutNullStreams> {
  // Immediate mode: a packet is told when it passes, not when a buffer is full.
  const program = machine.spawn('tcpdump', ['-n', '--immediate-mode', '-i', machine.device, ...options])
  await inTime(listening(program, machine.name), `tcpdump in ${machine.name} listens`)
  return program
}

async function listening({ stderr }: ChildProcessWithoutNullStreams, name: string): Promise<void> {
  let said = ''
  for await (const line of createInterface({ input: stderr })) {
    said += `${line}\n`
    if (line.includes('listening on')) return void stderr.resume()
  }
  throw new Error(`tcpdump in ${name} ended:\n${said}`)
}
