/**
 * Throughput where a router between two peers drops large packets: `npm run bench:lossy-path`.
 *
 * In the lab, two pairs of peers with the same kind of NAT and the same relay. Between the one pair, a router drops packets above 1300
 * bytes; between the other, it drops everything. The way through the relay is free for both. The pairs take turns. Needs Linux and root.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createNetwork } from '../test/lab/net/network.ts'
import { circumstances, median, table } from './bench/stats.ts'
import { END_PROGRAM, limit, startRelay, startServer, startTunnel } from './bench/tunnel-contenders.ts'
import type { Command } from '../test/lab/command.ts'
import type { Host, NatKindName, Network } from '../test/lab/net/network.ts'

const { values } = parseArgs({
  options: {
    /** Transfers of each pair. */
    runs: { type: 'string', default: '10' },
    mebibytes: { type: 'string', default: '48' },
    /** From each NAT and the relay towards the wide area. 0 means no limit. */
    megabits: { type: 'string', default: '100' },
    /** Between two transfers, in seconds: while they run, the paths are tried again. */
    pause: { type: 'string', default: '5' },
  },
})
const [runs, mebibytes, megabits] = [Number(values.runs), Number(values.mebibytes), Number(values.megabits)]
const pauseMs = Number(values.pause) * 1_000

const DELAY_MS = 20
const LIMIT_MS = 180_000

/** What the routers between a pair drop. */
const ROUTERS = {
  'drops large packets': 'meta length > 1300 drop',
  'drops everything': 'drop',
} as const

const LAYOUTS = [
  { name: 'both behind NATs', home: 'eim-apdf-drop' },
  // that one is dialled, no hole is punched
  { name: 'a listener with a public address', home: 'none' },
] as const satisfies ReadonlyArray<{ name: string; home: NatKindName }>

interface Pair {
  name: string
  away: Host
  port: number
  forward: Command
  mibPerSecond: number[]
}

console.log(JSON.stringify({ ...(await circumstances()), runs, mebibytes, megabits, delayMs: DELAY_MS }))
for (const { name, home } of LAYOUTS) {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-bench-'))
  try {
    await using net = await createNetwork({ delayMs: DELAY_MS })
    const pairs = await createPairs(net, home, directory)
    for (let round = 0; round < runs; round++)
      for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) {
        pair.mibPerSecond.push(mebibytes / (await send(pair)))
        await pause(pauseMs)
      }
    console.log(`\n${name}, ${mebibytes} MiB a transfer, median (minimum-maximum)\n`)
    console.log(tableOf(pairs).join('\n'))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function createPairs(net: Network, kind: NatKindName, directory: string): Promise<Pair[]> {
  const relayHost = await net.addHost('relay')
  if (megabits > 0) await limit(relayHost, megabits)
  const relay = await startRelay(relayHost, directory)
  return Promise.all(
    Object.entries(ROUTERS).map(async ([name, verdict], n) => {
      const nats = [await net.addNat(`home-nat${n}`, kind), await net.addNat(`away-nat${n}`, 'eim-apdf-drop')]
      const home = await net.addHost(`home${n}`, { behind: nats[0]! })
      const away = await net.addHost(`away${n}`, { behind: nats[1]! })
      for (const nat of nats) {
        if (megabits > 0) await limit(nat, megabits)
        await nat.namespace.nft(rules(relayHost, verdict))
      }
      await startServer(home)
      const { contender, forward } = await startTunnel(name, 'relayed', home, away, relay, directory)
      return { name, away, port: contender.port, forward, mibPerSecond: [] }
    }),
  )
}

function rules({ address, address6 }: Host, verdict: string): string {
  return [
    'add table inet between',
    'add chain inet between forward { type filter hook forward priority 0; }',
    `add rule inet between forward ip saddr != ${address} ip daddr != ${address} ${verdict}`,
    `add rule inet between forward ip6 saddr != ${address6} ip6 daddr != ${address6} ${verdict}`,
    '',
  ].join('\n')
}

/** Resolves with the seconds until the service has it all. */
async function send({ away, port }: Pair): Promise<number> {
  const args = [END_PROGRAM, 'send', '127.0.0.1', String(port), String(mebibytes)]
  const { stdout } = await away.exec(process.execPath, args, { timeoutMs: LIMIT_MS })
  return Number(stdout)
}

function tableOf(pairs: readonly Pair[]): string[] {
  const relayed = median(pairs.at(-1)!.mibPerSecond)
  const rows = pairs.map(({ name, forward, mibPerSecond }) => {
    const became = forward.events.filter(it => it.event === 'path:changed' && it['path'] === 'direct')
    const [least, most] = [Math.min(...mibPerSecond), Math.max(...mibPerSecond)]
    return [
      name,
      `${median(mibPerSecond).toFixed(2)} (${least.toFixed(2)}-${most.toFixed(2)})`,
      (median(mibPerSecond) / relayed).toFixed(3),
      String(became.length),
    ]
  })
  return table(['the router', 'MiB/s', 'of the relay’s', 'times direct'], rows)
}
