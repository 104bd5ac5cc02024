/**
 * How fast a relay is, and what a byte costs it: `npm run bench:relay`.
 *
 * Peers in two processes send over circuits of a relay in a third, in rounds that alternate between our relay, the stock
 * `circuitRelayServer` of @libp2p/circuit-relay-v2 without its limits, on the same libp2p stack, and a plain TCP forwarder. With
 * `--relays ours,go,plain` go-libp2p's relay without limits takes part (needs Go), which offers Noise and TLS. All of them
 * share the machine, so only ratios within one run mean something. `relay CPU` is the measure that does not depend on what
 * else runs: a relay with a core to itself carries its inverse.
 */

import { parseArgs } from 'node:util'
import { mkdirSync } from 'node:fs'
import { Child } from './bench/child.ts'
import { GoRelay } from './bench/go-relay.ts'
import { circumstances, median, table } from './bench/stats.ts'
import type { Received, Receivers } from './bench/circuit-end.ts'
import type { EncrypterName } from './bench/encrypters.ts'
import type { RelayKind } from './bench/relay-child.ts'
import type { Usage } from './bench/usage.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '5' },
    circuits: { type: 'string', default: '1,16' },
    relays: { type: 'string', default: 'ours,stock,plain' },
    encrypter: { type: 'string' },
    'end-to-end': { type: 'boolean', default: false },
    'round-timeout': { type: 'string', default: '120' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const bytes = Number(values.mib) * MIB
const counts = values.circuits.split(',').map(Number)
const kinds = values.relays.split(',') as RelayKind[]
const timeoutMs = Number(values['round-timeout']) * 1000
const encrypters = values.encrypter?.split(',') as EncrypterName[] | undefined

/** A relay, and where it is reached. */
interface Target {
  kind: RelayKind
  child: Child | GoRelay
  addr: string
  port: number
  receivers: Receivers
}

interface Sample {
  bytesPerSecond: number
  cpuSecondsPerGib: number
  rssGrowthBytes: number
}

interface Result extends Sample {
  relay: RelayKind
  circuits: number
  rounds: number
}

const ends = { encrypters, isEndToEnd: values['end-to-end'] }
const sender = new Child('circuit-end', ends)
const receiver = new Child('circuit-end', ends)
const targets: Target[] = []
for (const kind of kinds) targets.push(await startTarget(kind))
const results: Result[] = []
for (const circuits of counts) results.push(...(await measure(circuits)))
await print()
if (values.profile !== undefined) await profile(values.profile)
process.exit()

async function startTarget(kind: RelayKind): Promise<Target> {
  const offered = encrypters?.includes('tls') === true ? ['noise', 'tls'] : undefined
  const child = kind === 'go' ? new GoRelay() : new Child('relay-child', { kind, encrypters: offered })
  const peers = Math.max(...counts)
  const plain =
    kind === 'plain' ? await receiver.do<Receivers>('receive', { relayAddr: '', peers: 0 }) : undefined
  const { addr, port } = await child.do<{ addr: string; port: number }>('start', { forwardTo: plain?.port })
  const receivers = plain ?? (await receiver.do<Receivers>('receive', { relayAddr: addr, peers }))
  if (kind !== 'plain') await sender.do('connectTo', { relayAddr: addr, peers })
  return { kind, child, addr, port, receivers }
}

/** All relays in turn, and again. */
async function measure(circuits: number): Promise<Result[]> {
  // code is compiled, and heaps grow, in the first
  for (const target of targets) await sample(target, circuits, bytes / 2)
  const samples = new Map(targets.map(target => [target, [] as Sample[]]))
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) samples.get(target)?.push(await sample(target, circuits, bytes))
  }
  return [...samples].map(([{ kind }, all]) => ({
    relay: kind,
    circuits,
    rounds,
    bytesPerSecond: median(all.map(it => it.bytesPerSecond)),
    cpuSecondsPerGib: median(all.map(it => it.cpuSecondsPerGib)),
    rssGrowthBytes: Math.max(...all.map(it => it.rssGrowthBytes)),
  }))
}

async function sample(target: Target, circuits: number, total: number): Promise<Sample> {
  const { child, addr, port, receivers } = target
  const bytesEach = Math.floor(total / circuits)
  await receiver.do('expect', { bytes: bytesEach * circuits })
  const before = await child.do<Usage>('mark')
  const order = { relayAddr: addr, forwarderPort: port, receivers, circuits, bytesEach }
  const [received] = await Promise.all([
    receiver.do<Received>('received', {}, timeoutMs),
    sender.do('send', order, timeoutMs),
  ])
  const after = await child.do<Usage>('usage')
  return {
    bytesPerSecond: (1000 * received.bytes) / received.ms,
    cpuSecondsPerGib: ((after.cpuMs - before.cpuMs) / 1000 / received.bytes) * GIB,
    rssGrowthBytes: after.peakRssBytes - before.rssBytes,
  }
}

async function print(): Promise<void> {
  const about = {
    ...(await circumstances()),
    mib: values.mib,
    rounds: values.rounds,
    encrypter: values.encrypter ?? 'as in src/node/stack.ts',
    over: values['end-to-end'] ? 'a libp2p connection over each circuit' : 'the circuits themselves',
  }
  const ratios = counts.flatMap(ratiosOf)
  if (values.json) return console.log(JSON.stringify({ about, results, ratios }))
  console.log(
    Object.entries(about)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
  console.log(
    table(['circuits', 'relay', 'MiB/s', 'relay CPU s/GiB', 'peak RSS growth MiB'], rows()).join('\n'),
  )
  for (const { circuits, than, throughput, cpu } of ratios) {
    console.log(
      `${circuits} circuits: ours / ${than}: throughput ${throughput.toFixed(2)}, CPU a byte ${cpu.toFixed(2)}`,
    )
  }
}

function rows(): string[][] {
  return results.map(it => [
    String(it.circuits),
    it.relay,
    (it.bytesPerSecond / MIB).toFixed(0),
    it.cpuSecondsPerGib.toFixed(2),
    (it.rssGrowthBytes / MIB).toFixed(0),
  ])
}

function ratiosOf(
  circuits: number,
): { circuits: number; than: RelayKind; throughput: number; cpu: number }[] {
  const here = results.filter(it => it.circuits === circuits)
  const ours = here.find(({ relay }) => relay === 'ours')
  if (ours === undefined) return []
  return here
    .filter(other => other !== ours)
    .map(other => ({
      circuits,
      than: other.relay,
      throughput: ours.bytesPerSecond / other.bytesPerSecond,
      cpu: ours.cpuSecondsPerGib / other.cpuSecondsPerGib,
    }))
}

/** One more round of each relay with a profiler in it, which would falsify the others. */
async function profile(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true })
  for (const target of targets.filter(({ kind }) => kind !== 'go')) {
    await target.child.do('startProfile')
    await sample(target, counts.at(-1) ?? 1, bytes)
    const lines = await target.child.do<string[]>('stopProfile', { dir, name: target.kind })
    console.log(`\n${target.kind}:\n${lines.join('\n')}`)
  }
}
