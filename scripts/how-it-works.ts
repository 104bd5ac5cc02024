/**
 * Plays the scenes of docs/how-it-works.md with real peers in the NAT lab, and prints what the NATs saw.
 *
 *     node scripts/how-it-works.ts [SCENE]... [--write]
 *
 * `--write` puts the captures into the document, between the comments that name their scenes. Needs Linux and root.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createStage } from '../test/lab/stage.ts'
import { entryLine, readEntry, timeline } from './how-it-works/timeline.ts'
import { Sight } from './how-it-works/watch.ts'
import type { Nat, NatKindName } from '../test/lab/net/network.ts'
import type { Remote } from '../test/lab/remote.ts'
import type { Stage } from '../test/lab/stage.ts'

interface Scene {
  dialer: NatKindName
  listener: NatKindName
  /** One way, for each crossing of the wide area. Short where the SYNs must not cross by themselves. */
  delayMs: number
  /** Packets that are shown, from the beginning and from the end of the timeline. */
  packets: { first: number; last: number }
}

const scenes: Readonly<Record<string, Scene>> = {
  drop: {
    dialer: 'eim-apdf-drop',
    listener: 'eim-apdf-drop',
    delayMs: 50,
    packets: { first: 40, last: 0 },
  },
  rst: {
    dialer: 'eim-apdf-drop',
    listener: 'eim-apdf-stack',
    delayMs: 5,
    packets: { first: 5, last: 13 },
  },
  symmetric: {
    dialer: 'apdm-apdf-drop',
    listener: 'eim-apdf-drop',
    delayMs: 20,
    packets: { first: 8, last: 0 },
  },
}

/** Three attempts of five seconds, and what is between them. */
const TIMEOUT_MS = 40_000

const DOCUMENT = fileURLToPath(new URL('../docs/how-it-works.md', import.meta.url))

const args = process.argv.slice(2)
const wanted = args.filter(arg => !arg.startsWith('--'))
const unknown = [
  ...wanted.filter(name => !(name in scenes)),
  ...args.filter(arg => /^--(?!write$)/.test(arg)),
]
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(', ')}. Scenes: ${Object.keys(scenes).join(', ')}; option: --write.`,
  )
  process.exit(2)
}

for (const [name, scene] of Object.entries(scenes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const capture = [...heading(scene), '', ...(await play(scene))].join('\n')
  console.log(`== ${name} ==\n${capture}\n`)
  if (args.includes('--write')) writeCapture(name, capture)
}

function heading({ dialer, listener, delayMs }: Scene): string[] {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const conntrack = /v[\d.]+/.exec(execFileSync('conntrack', ['--version'], { encoding: 'utf8' }))?.[0]
  return [
    `# ${new Date().toISOString().slice(0, 10)}, throughnat ${version}, Node ${process.version}, Linux ${release()}, conntrack ${conntrack}`,
    `# dialer's NAT ${dialer}, listener's NAT ${listener}, ${delayMs} ms one way`,
  ]
}

async function play({
  dialer: dialerKind,
  listener: listenerKind,
  delayMs,
  packets,
}: Scene): Promise<string[]> {
  await using stage = await createStage({ delayMs })
  const dialer = await stage.place('dialer', dialerKind)
  const listener = await stage.place('listener', listenerKind)
  const nats = stage.net.nats as [Nat, Nat]
  const sight = await Sight.of(nats)
  await connect(stage, dialer, listener)
  const before = await tables(nats, line => line.includes('dport=4001'))
  const outcome = await awaitOutcome(dialer)
  // what the NATs tell last may still be on its way
  await sight.until(seen => nats.every(nat => hasEnded(seen, nat.name, outcome.isDirect)), TIMEOUT_MS)
  const rows = timeline(handshakeOf(sight), sight.changes)
  const after = await tables(nats, line => !/TIME_WAIT|FIN_WAIT|LAST_ACK|CLOSE/.test(line))
  return [
    '# the tables while the path is relayed: inside > remote | remote > outside',
    ...before,
    '',
    '# the punch, in ms since the first SYN: what passes the outside of each NAT, and what it does to its entries',
    ...elide(rows, packets),
    '',
    `# ${outcome.text}; the tables then`,
    ...after,
  ]
}

async function connect(stage: Stage, dialer: Remote, listener: Remote): Promise<void> {
  const args = { name: 'scene', relays: [stage.relayAddr()] }
  const { addrs } = await listener.do<{ addrs: string[] }>('peer', { ...args, reserve: true })
  await dialer.do('peer', { ...args, reserve: false })
  await dialer.do('connect', { name: 'scene', target: addrs[0] })
}

async function awaitOutcome(dialer: Remote): Promise<{ isDirect: boolean; text: string }> {
  try {
    const { elapsedMs } = await dialer.do<{ elapsedMs: number }>('direct', { name: 'scene' }, TIMEOUT_MS)
    return { isDirect: true, text: `direct ${Math.round(elapsedMs)} ms after the circuit` }
  } catch (error) {
    const { reason } = error as { reason?: string }
    if (reason === undefined) throw error
    return { isDirect: false, text: `still relayed after the last attempt (${reason})` }
  }
}

function hasEnded({ packets, changes }: Sight, nat: string, isDirect: boolean): boolean {
  if (isDirect) return changes.some(it => it.nat === nat && it.entry.state === 'ESTABLISHED')
  return packets.some(it => it.nat === nat)
}

async function tables(nats: readonly Nat[], isWanted: (line: string) => boolean): Promise<string[]> {
  const width = Math.max(...nats.map(({ name }) => name.length))
  const found = await Promise.all(
    nats.map(async nat => {
      const entries = (await nat.conntrack()).split('\n').filter(isWanted).map(readEntry)
      return entries.flatMap(it => (it === undefined ? [] : [`${nat.name.padEnd(width)}  ${entryLine(it)}`]))
    }),
  )
  return found.flat()
}

/** Leaves out what comes after each NAT has seen its first bytes of data. */
function handshakeOf({ packets }: Sight): typeof packets {
  const isOver = new Set<string>()
  return packets.filter(({ nat, bytes }) => {
    if (bytes > 0) isOver.add(nat)
    return !isOver.has(nat)
  })
}

function elide(rows: readonly string[][], { first, last }: Scene['packets']): string[] {
  const left = rows.length - first - last
  if (left <= 0) return rows.flat()
  return [
    ...rows.slice(0, first).flat(),
    `         ... ${left} more packets`,
    ...rows.slice(first + left).flat(),
  ]
}

function writeCapture(name: string, capture: string): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const between = new RegExp(`(<!-- capture: ${name} -->\n)[^]*?(<!-- end -->)`)
  if (!between.test(text)) throw new Error(`${DOCUMENT} has no place for the capture ${name}`)
  writeFileSync(
    DOCUMENT,
    text.replace(
      between,
      (_all, start: string, end: string) => `${start}\n\`\`\`\n${capture}\n\`\`\`\n\n${end}`,
    ),
  )
}
