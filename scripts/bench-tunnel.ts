/**
 * The tunnel beside `ssh -L` and plain TCP forwarding: `npm run bench:tunnel`.
 *
 * In the lab, from behind one NAT: throughput towards the service, the round trip of 64 bytes, and HTTP requests on connections of their
 * own, 50 side by side, the contenders taking turns. Each figure is a ratio to
 * plain TCP over the same link in the same run, too. `--dumbpipe` adds dumbpipe, which it compiles the first time (needs Rust). Needs Linux, root, OpenSSH, and socat (`apt-get install socat`).
 */

import { spawnSync } from 'node:child_process'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { installDumbpipe } from './bench/dumbpipe.ts'
import { circumstances, median, table } from './bench/stats.ts'
import { createTunnelStage, END_PROGRAM } from './bench/tunnel-contenders.ts'
import type { Contender, Link, TunnelStage } from './bench/tunnel-contenders.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    /** MiB a run, on the link without a limit and on the other; 0 leaves a link out. */
    mebibytes: { type: 'string', default: '256,64' },
    echoes: { type: 'string', default: '300' },
    gets: { type: 'string', default: '1000' },
    dumbpipe: { type: 'boolean', default: false },
  },
})
const runs = Number(values.runs)
const echoes = Number(values.echoes)
const gets = Number(values.gets)
const [unlimitedMiB = 256, limitedMiB = 64] = values.mebibytes.split(',').map(Number)

const links: readonly (Link & { mebibytes: number })[] = [
  { name: 'no delay, no limit', delayMs: 0, mebibytes: unlimitedMiB },
  { name: '20 ms one way, 100 Mbit/s', delayMs: 20, megabits: 100, mebibytes: limitedMiB },
]

/** What goes ahead of the measurements on the link without a limit, in MiB. */
const WARM_UP_MIB = 2048

/** One measurement may take so long, in milliseconds. */
const LIMIT_MS = 120_000

interface Figures {
  mibPerSecond: number[]
  echoMs: number[]
  getSeconds: number[]
}

if (spawnSync('socat', ['-V']).error !== undefined) {
  console.error('socat is missing: apt-get install socat')
  process.exit(1)
}
if (values.dumbpipe) installDumbpipe()
console.log(
  JSON.stringify({
    ...(await circumstances()),
    load: os.loadavg()[1],
    runs,
    echoes,
    gets,
    ssh: sshVersion(),
  }),
)
for (const link of links.filter(({ mebibytes }) => mebibytes > 0)) {
  await using stage = await createTunnelStage(link, values.dumbpipe)
  const figures = await measure(stage, link)
  console.log(`\n${link.name}, ${link.mebibytes} MiB a run, medians (minimum-maximum)\n`)
  console.log(tableOf(stage.contenders, figures, link).join('\n'))
}

async function measure(
  { away, contenders }: TunnelStage,
  { mebibytes, megabits }: (typeof links)[number],
): Promise<Map<string, Figures>> {
  const figures = new Map(
    contenders.map(({ name }) => [name, { mibPerSecond: [], echoMs: [], getSeconds: [] } as Figures]),
  )
  const run = async (
    mode: 'send' | 'echo' | 'get',
    { host, port }: Contender,
    amount: number,
  ): Promise<number> => {
    const args = [END_PROGRAM, mode, host, String(port), String(amount)]
    const { stdout } = await away.exec(process.execPath, args, { timeoutMs: LIMIT_MS })
    return Number(stdout)
  }
  // windows grow, and where nothing but the processor is the limit V8 goes on optimizing for a GiB or two
  const warmUp = megabits === undefined ? WARM_UP_MIB : Math.ceil(mebibytes / 4)
  for (const contender of contenders) await run('send', contender, warmUp)
  for (let round = 0; round < runs; round++)
    for (const contender of inTurn(contenders, round)) {
      const { mibPerSecond, echoMs, getSeconds } = figures.get(contender.name) as Figures
      mibPerSecond.push(mebibytes / (await run('send', contender, mebibytes)))
      echoMs.push(await run('echo', contender, echoes))
      getSeconds.push(await run('get', contender, gets))
    }
  return figures
}

/** Who comes after whom changes from round to round: what one leaves in the caches, the next one finds. */
function inTurn<T>(all: readonly T[], by: number): T[] {
  const turned = by % 2 === 0 ? all : all.toReversed()
  const at = by % all.length
  return [...turned.slice(at), ...turned.slice(0, at)]
}

function tableOf(
  contenders: readonly Contender[],
  figures: Map<string, Figures>,
  { megabits }: Link,
): string[] {
  const of = (name: string): Figures => figures.get(name) as Figures
  const plain = of('plain TCP')
  const rows = contenders.map(({ name }) => {
    const { mibPerSecond, echoMs, getSeconds } = of(name)
    const speed = median(mibPerSecond)
    const added = median(echoMs) - median(plain.echoMs)
    return [
      name,
      spread(mibPerSecond, 1),
      (speed / median(plain.mibPerSecond)).toFixed(3),
      (speed / median(of('ssh -L').mibPerSecond)).toFixed(2),
      megabits === undefined ? '' : `${((speed * 1024 * 1024 * 8) / megabits / 10_000).toFixed(1)} %`,
      spread(echoMs, 2),
      name === 'plain TCP' ? '' : `${added.toFixed(2)}`,
      spread(getSeconds, 2),
      (median(getSeconds) / median(of('ssh -L').getSeconds)).toFixed(2),
    ]
  })
  return table(
    [
      '',
      'MiB/s',
      'of plain',
      'of ssh -L',
      'of the link',
      'echo, ms',
      'added, ms',
      `${gets} GETs, s`,
      'of ssh -L',
    ],
    rows,
  )
}

function spread(values: readonly number[], digits: number): string {
  const text = (value: number): string => value.toFixed(digits)
  return `${text(median(values))} (${text(Math.min(...values))}-${text(Math.max(...values))})`
}

function sshVersion(): string {
  return spawnSync('ssh', ['-V'], { encoding: 'utf8' }).stderr.trim()
}
