/**
 * How many peers a relay can hold: `npm run bench:capacity`.
 *
 * So many peers hold a reservation each at one relay; measured are the time on the processor to set one up, the memory that stays with it,
 * and what the relay takes while all of them are idle but for their refreshes, of which as many fall into the measured time as
 * would with reservations of an hour that are refreshed at half-time. The peers are not whole libp2p nodes: see
 * bench/reserver.ts for what they do and leave out. They leave it to the relay to keep the connection alive; `--like-libp2p` lets them
 * do what libp2p nodes do by default: they identify the relay once, ping it every 10 s, and by yamux every 30 s. `--stock`
 * measures the stock `circuitRelayServer` as well, its limits lifted and all else as it comes. `--go` measures go-libp2p's relay without
 * limits as well (needs Go). Both do so with `--stock-peers` peers.
 */

import { mkdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child } from './bench/child.ts'
import { GoRelay } from './bench/go-relay.ts'
import { circumstances, table } from './bench/stats.ts'
import type { RelayKind } from './bench/relay-child.ts'
import type { Held } from './bench/reservers.ts'
import type { Usage } from './bench/usage.ts'

const KIB = 1024

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '10000' },
    processes: { type: 'string', default: '4' },
    idle: { type: 'string', default: '60' },
    rest: { type: 'string', default: '35' },
    stock: { type: 'boolean', default: false },
    'stock-peers': { type: 'string', default: '2000' },
    'stock-only': { type: 'boolean', default: false },
    go: { type: 'boolean', default: false },
    'like-libp2p': { type: 'boolean', default: false },
    timeout: { type: 'string', default: '900' },
    profile: { type: 'string' },
    'heap-profile': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const processes = Number(values.processes)
const idleMs = Number(values.idle) * 1000
/** Time-outs of the set-up, of 30 s, hold memory until they have run out, and cost something when they do. */
const restMs = Number(values.rest) * 1000
const timeoutMs = Number(values.timeout) * 1000
const habits = values['like-libp2p']
  ? { hasIdentify: true, pingEveryMs: 10_000, keepAliveMs: 30_000 }
  : { hasIdentify: false, pingEveryMs: 0, keepAliveMs: 0 }

/** Half of the hour that a reservation lasts. */
const REFRESH_EVERY_MS = 1_800_000

/** Peers that come and go first, so that code is compiled and the first pages of the heap are taken. */
const WARM_UP_PEERS = 100

/** Files that a process needs beside one for each connection. */
const OTHER_FILES = 64

type Relay = Child | GoRelay

interface Result {
  relay: RelayKind
  peers: number
  setUpsPerSecond: number
  cpuMsPerSetUp: number
  /** Each per reservation. */
  rssBytes: number
  heapBytes: number
  externalBytes: number
  /** Of one core. */
  idleCpuPercent: number
  refreshed: number
  openInTheEnd: number
  failures: Record<string, number>
}

const results: Result[] = []
if (!values['stock-only']) results.push(await measure('ours', Number(values.peers)))
if (values.stock || values['stock-only']) {
  results.push(await measure('stock-defaults', Number(values['stock-peers'])))
}
if (values.go) results.push(await measure('go', Number(values['stock-peers'])))
await print()
process.exit()

async function measure(kind: RelayKind, peers: number): Promise<Result> {
  assertEnoughFiles(peers)
  const relay =
    kind === 'go' ? new GoRelay() : new Child('relay-child', { kind, isUnlimited: true }, ['--expose-gc'])
  const crowds = Array.from({ length: processes }, (_, index) => new Child('reservers', { index }))
  try {
    const { addr } = await relay.do<{ addr: string }>('start')
    await Promise.all(crowds.map(crowd => reserve(crowd, addr, WARM_UP_PEERS / processes)))
    await Promise.all(crowds.map(crowd => crowd.do('leave')))
    return await measureRelay(relay, crowds, { kind, addr, peers })
  } finally {
    await Promise.all([relay, ...crowds].map(child => child.stop()))
  }
}

async function measureRelay(
  relay: Relay,
  crowds: readonly Child[],
  { kind, addr, peers }: { kind: RelayKind; addr: string; peers: number },
): Promise<Result> {
  const empty = await settled(relay)
  const begin = performance.now()
  const [before, , after] = await profiled(relay, `${kind}-set-up`, async () =>
    Promise.all(crowds.map(crowd => reserve(crowd, addr, Math.ceil(peers / processes)))),
  )
  const setUpMs = performance.now() - begin
  await setTimeout(restMs)
  const full = await settled(relay)
  if (values['heap-profile'] && kind !== 'go')
    console.log((await relay.do<string[]>('heapByConstructor', {}, timeoutMs)).join('\n'))
  const [quiet, held, later] = await profiled(relay, `${kind}-idle`, async () =>
    Promise.all(
      crowds.map(crowd =>
        crowd.do<Held>('idle', { forMs: idleMs, refreshEveryMs: REFRESH_EVERY_MS, ...habits }, timeoutMs),
      ),
    ),
  )
  return {
    relay: kind,
    peers,
    setUpsPerSecond: (1000 * peers) / setUpMs,
    cpuMsPerSetUp: (after.cpuMs - before.cpuMs) / peers,
    rssBytes: (full.rssBytes - empty.rssBytes) / peers,
    heapBytes: (full.heapUsedBytes - empty.heapUsedBytes) / peers,
    externalBytes: (full.externalBytes - empty.externalBytes) / peers,
    idleCpuPercent: (100 * (later.cpuMs - quiet.cpuMs)) / idleMs,
    refreshed: sum(held.map(it => it.refreshed ?? 0)),
    openInTheEnd: sum(held.map(it => it.open)),
    failures: Object.fromEntries(held.flatMap(it => [...it.failures])),
  }
}

async function reserve(crowd: Child, relayAddr: string, peers: number): Promise<Held> {
  return crowd.do<Held>('reserve', { relayAddr, peers, ...habits }, timeoutMs)
}

async function settled(relay: Relay): Promise<Usage> {
  return relay.do<Usage>('settledUsage', {}, timeoutMs)
}

/** Usage before and after, and what came of it in between; a profile beside it falsifies the measure. */
async function profiled<Result>(
  relay: Relay,
  name: string,
  act: () => Promise<Result>,
): Promise<[Usage, Result, Usage]> {
  const dir = relay instanceof GoRelay ? undefined : values.profile
  if (dir !== undefined) await relay.do('startProfile')
  const before = await relay.do<Usage>('usage')
  const result = await act()
  const after = await relay.do<Usage>('usage', {}, timeoutMs)
  if (dir !== undefined) {
    mkdirSync(dir, { recursive: true })
    const lines = await relay.do<string[]>('stopProfile', { dir, name }, timeoutMs)
    console.log(`\n${name}:\n${lines.join('\n')}`)
  }
  return [before, result, after]
}

/** @throws {Error} if a process may not have as many connections as it needs */
function assertEnoughFiles(peers: number): void {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft: number | 'unlimited' } }
  }
  const soft = userLimits?.open_files?.soft
  // Node raises the soft limit of a process to the hard one
  if (typeof soft === 'number' && soft < peers + OTHER_FILES) {
    throw new Error(`${peers} peers need as many open files, and the limit is ${soft}: raise it (ulimit -n)`)
  }
}

async function print(): Promise<void> {
  const about = {
    ...(await circumstances()),
    processes: values.processes,
    idle: `${values.idle} s`,
    ...habits,
  }
  if (values.json) return console.log(JSON.stringify({ about, results }))
  const head = [
    'relay',
    'peers',
    'set-ups/s',
    'CPU ms/set-up',
    'RSS KiB',
    'heap KiB',
    'external KiB',
    'idle CPU %',
  ]
  const rows = results.map(it => [
    it.relay,
    String(it.peers),
    it.setUpsPerSecond.toFixed(0),
    it.cpuMsPerSetUp.toFixed(2),
    (it.rssBytes / KIB).toFixed(1),
    kibibytes(it.heapBytes),
    kibibytes(it.externalBytes),
    it.idleCpuPercent.toFixed(2),
  ])
  console.log(
    Object.entries(about)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
  console.log(table(head, rows).join('\n'))
  for (const { relay, peers, refreshed, openInTheEnd, failures } of results) {
    console.log(`${relay}: ${openInTheEnd} of ${peers} open in the end, ${refreshed} refreshed`)
    for (const [message, times] of Object.entries(failures)) console.log(`  ${times} x ${message}`)
  }
}

/** Nothing where a program does not measure it. */
function kibibytes(bytes: number): string {
  return Number.isNaN(bytes) ? '' : (bytes / KIB).toFixed(1)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
