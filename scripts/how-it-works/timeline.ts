/**
 * One timeline of what two NATs saw: the packets on their outside, and under each what it did to the table of
 * connections. Pure: text of tcpdump and conntrack in, text for people out.
 */

/** A TCP packet on the outside of a NAT, as `tcpdump -n -tt` tells it. */
export interface Packet {
  nat: string
  /** Seconds since the epoch. */
  at: number
  /** Seen from the NAT: from its own address, or towards it. */
  direction: 'in' | 'out'
  from: string
  to: string
  /** tcpdump's flags: `S`, `S.` (SYN and ACK), `.` (ACK), `R.`, `P.`. */
  flags: string
  bytes: number
}

/** A change of a NAT's table, as `conntrack -E -o timestamp` tells it. */
export interface TableChange {
  nat: string
  /** Seconds since the epoch; up to some milliseconds after the packet that caused it. */
  at: number
  kind: 'NEW' | 'UPDATE' | 'DESTROY'
  entry: Entry
}

/** An entry of the table: a pair of endpoints for each direction, and how far the handshake has come. */
export interface Entry {
  state: string
  /** How long the entry outlives silence, in seconds. */
  secondsLeft: number
  /** What it matches from inside. */
  original: Flow
  /** What it matches from outside: the answer to the translated packet. */
  reply: Flow
  /** Nothing has come back yet. */
  isUnreplied: boolean
}

/** Two endpoints, `address:port`. */
interface Flow {
  from: string
  to: string
}

/** A NAT, by name and by the address of its outside. */
export interface Watched {
  name: string
  externalAddress: string
}

/** Reads a line of `tcpdump -n -tt`; undefined when it tells no TCP packet. */
export function readPacket(nat: Watched, line: string): Packet | undefined {
  const match = /^([\d.]+) IP ([\d.]+)\.(\d+) > ([\d.]+)\.(\d+): Flags \[([^\]]+)\].* length (\d+)/.exec(line)
  if (match === null) return undefined
  const [, at, from, fromPort, to, toPort, flags = '', bytes] = match
  return {
    nat: nat.name,
    at: Number(at),
    direction: from === nat.externalAddress ? 'out' : 'in',
    from: `${from}:${fromPort}`,
    to: `${to}:${toPort}`,
    flags,
    bytes: Number(bytes),
  }
}

/** Reads a line of `conntrack -E -o timestamp`; undefined when it tells no TCP connection. */
export function readTableChange(nat: string, line: string): TableChange | undefined {
  const match = /^\[([\d.]+)\]\s+\[(NEW|UPDATE|DESTROY)\] (.*)/.exec(line)
  const entry = readEntry(match?.[3] ?? '')
  if (match === null || entry === undefined) return undefined
  return { nat, at: Number(match[1]), kind: match[2] as TableChange['kind'], entry }
}

/** Reads an entry as `conntrack -L` prints it. */
export function readEntry(text: string): Entry | undefined {
  const head = /^\s*tcp\s+6 (\d+) (\w+) /.exec(text)
  const flows = [...text.matchAll(/src=([\d.]+) dst=([\d.]+) sport=(\d+) dport=(\d+)/g)]
  const [original, reply] = flows.map(([, from, to, fromPort, toPort]) => {
    return { from: `${from}:${fromPort}`, to: `${to}:${toPort}` }
  })
  if (head === null || original === undefined || reply === undefined) return undefined
  return {
    state: head[2] ?? '',
    secondsLeft: Number(head[1]),
    original,
    reply,
    isUnreplied: text.includes('[UNREPLIED]'),
  }
}

/** An entry on one line: what it matches from inside, and from outside. */
export function entryLine({ state, secondsLeft, original, reply, isUnreplied }: Entry): string {
  const mark = isUnreplied ? ' [UNREPLIED]' : ''
  const flows = `${original.from} > ${original.to} | ${reply.from} > ${reply.to}`
  return `${state}${mark} ${secondsLeft} s,  ${flows}`
}

/** The packets in order, each a line with the milliseconds since the first, followed by the changes that it caused. */
export function timeline(packets: readonly Packet[], changes: readonly TableChange[]): string[][] {
  const ordered = packets.toSorted((one, other) => one.at - other.at)
  const caused = Map.groupBy(changes, change => causeOf(change, ordered))
  const startedAt = ordered[0]?.at ?? 0
  const width = Math.max(...packets.map(({ nat }) => nat.length))
  return ordered.map(packet => [
    `${((packet.at - startedAt) * 1000).toFixed(1).padStart(7)}  ${packet.nat.padEnd(width)}  ${packetText(packet)}`,
    ...(caused.get(packet) ?? []).map(change => `${' '.repeat(9 + width)}  ${changeText(change)}`),
  ])
}

const NAMES: Readonly<Record<string, string>> = {
  S: 'SYN',
  'S.': 'SYN, ACK',
  '.': 'ACK',
  'R.': 'RST, ACK',
  R: 'RST',
  'P.': 'data',
}

function packetText({ direction, from, to, flags, bytes }: Packet): string {
  const size = bytes === 0 ? '' : `, ${bytes} bytes`
  return `${direction.padEnd(3)}  ${(NAMES[flags] ?? flags).padEnd(8)}  ${from} > ${to}${size}`
}

function changeText({ kind, entry }: TableChange): string {
  if (kind === 'DESTROY') return '     -> entry removed'
  if (kind === 'NEW') return `     -> new entry ${entryLine(entry)}`
  return `     -> ${entry.state} ${entry.secondsLeft} s`
}

// net/netfilter/nf_conntrack_proto_tcp.c, tcp_conntracks: which packets lead into a state
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  SYN_SENT: ['S'],
  SYN_SENT2: ['S'],
  SYN_RECV: ['S.'],
  ESTABLISHED: ['.', 'S.'],
  CLOSE: ['R', 'R.'],
}

/** The last packet before the change, at the same NAT, that can have led to it. */
function causeOf({ nat, at, entry }: TableChange, packets: readonly Packet[]): Packet | undefined {
  const flags = CAUSES[entry.state] ?? []
  return packets.findLast(
    it => it.nat === nat && it.at <= at && flags.includes(it.flags) && concerns(it, entry),
  )
}

function concerns({ from, to }: Packet, { original, reply }: Entry): boolean {
  const outward = from === reply.to && to === reply.from
  const inward = from === reply.from && to === reply.to
  const untranslated = from === original.from && to === original.to
  return outward || inward || untranslated
}
