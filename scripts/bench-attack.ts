/**
 * What attacks of strangers cost relay and peer, and what innocents notice: `npm run bench:attack -- --only s1-a,s2`.
 *
 * Relay and peer run from dist/, attacker and innocent in processes of their own, on loopback. Each attack meets fresh victims. Not among them is
 * the punch budget: loopback addresses are never dialled, so that it needs the lab (test/lab/hostile-remote.test.ts).
 */

import { once } from 'node:events'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import os from 'node:os'
import { createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { attacks } from './bench/attack/attacks.ts'
import { profileTo, PROGRAMS, Victim } from './bench/attack/victims.ts'
import { Child } from './bench/child.ts'
import { ATTACKERS } from './bench/attack/hostile-node.ts'
import { circumstances, median, table } from './bench/stats.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import type { Attack, Scene } from './bench/attack/attacks.ts'
import type { Answers, Question } from './bench/attack/innocent.ts'

/** How long innocents are watched before an attack, and after it, in milliseconds. */
const CALM_MS = 4_000
const AFTER_MS = 1_000

/** What strangers tell is written to the disk after some seconds. */
const WRITTEN_MS = 10_000

/** Longest time for an attack, in milliseconds. */
const ATTACK_MS = 120_000

const TCP = '/ip4/127.0.0.1/tcp/0'

/** The time of an admission program that is slow, in milliseconds. The relay waits 3 s. */
const SLOW_MS = 2_900

const { values } = parseArgs({
  options: {
    /** Some of the attacks, separated by commas. */
    only: { type: 'string', default: attacks.map(it => it.id).join(',') },
    /** The `dist` directory of another version, whose programs are attacked. */
    dist: { type: 'string' },
    json: { type: 'boolean', default: false },
    /** A directory for CPU profiles of the victims. Profiling costs time, so do not compare the figures. */
    profile: { type: 'string' },
  },
})
if (values.profile !== undefined) profileTo(values.profile)
const wanted = values.only.split(',')
const unknown = wanted.filter(id => !attacks.some(it => it.id === id))
if (unknown.length > 0) {
  console.error(`There is no attack ${unknown.join(', ')}. There are ${attacks.map(it => it.id).join(', ')}.`)
  process.exit(2)
}

interface Result {
  attack: Attack
  bytes: number
  /** Processor time of the victim beyond what innocents cost it. */
  cpuMs: number
  calm: Answers
  attacked: Answers
  memoryBytes: number
  crashed: boolean
}

const results: Result[] = []
for (const attack of attacks) {
  if (!wanted.includes(attack.id)) continue
  console.error(`${attack.id}: ${attack.title}`)
  try {
    results.push(await measure(attack))
  } catch (error) {
    console.error(`${attack.id} could not be measured: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
await print()
process.exit()

async function measure(attack: Attack): Promise<Result> {
  await using stack = new AsyncDisposableStack()
  const innocent = child(stack, 'attack/innocent')
  const attacker = child(stack, 'attack/attacker')
  // real attackers have machines of their own
  os.setPriority(attacker.pid, os.constants.priority.PRIORITY_LOW)
  const innocentId = await innocent.do<string>('identify')
  const more = attack.hasAdmission === true ? ['--admission-url', await startAdmission(stack)] : []
  const listen = attack.isWebSocket === true ? [TCP, `${TCP}/ws`] : [TCP]
  const relay = stack.use(await Victim.relay([...(attack.relayArgs ?? []), ...more], listen))
  const peer = stack.use(await startPeer(stack, relay, innocentId))
  const victim = attack.victim === 'peer' ? peer : relay
  const scene: Scene = { relay, peer, victim }
  const question = await questionOf(attack, scene)
  const watch = async (during: () => Promise<unknown>): Promise<Answers> => {
    await innocent.do('start', question)
    await during()
    return innocent.do<Answers>('stop', {}, 60_000)
  }
  // code is compiled in the first seconds
  await watch(async () => pause(1_000))
  const [before, disk] = [victim.mark(), await victim.diskBytes()]
  const [calm, attacked]: [Answers[], Answers[]] = [[], []]
  let [bytes, cpuMs] = [0, 0]
  for (let round = 0; round < (attack.rounds ?? 1); round++) {
    const start = victim.cost().cpuMs
    const quiet = await watch(async () => pause(CALM_MS))
    const calmMs = victim.cost().cpuMs - start
    const loud = await watch(async () => {
      bytes += await attacker.do<number>('attack', attack.orders(scene), ATTACK_MS)
      await pause(AFTER_MS)
    })
    calm.push(quiet)
    attacked.push(loud)
    if (!victim.isRunning)
      return { attack, bytes, cpuMs, calm: sum(calm), attacked: sum(attacked), memoryBytes: 0, crashed: true }
    cpuMs += victim.cost().cpuMs - start - calmMs - (calmMs * loud.times.length) / quiet.times.length
  }
  if (attack.isOnDisk === true) await pause(WRITTEN_MS)
  return {
    attack,
    bytes,
    cpuMs: Math.max(0, cpuMs),
    calm: sum(calm),
    attacked: sum(attacked),
    memoryBytes: attack.isOnDisk
      ? (await victim.diskBytes()) - disk
      : Math.max(0, victim.cost().peakRssBytes - before.rssBytes),
    crashed: false,
  }
}

function sum(answers: readonly Answers[]): Answers {
  return {
    times: answers.flatMap(it => it.times),
    failed: answers.reduce((count, it) => count + it.failed, 0),
    seconds: answers.reduce((seconds, it) => seconds + it.seconds, 0),
  }
}

function perSecond({ times, failed, seconds }: Answers): number {
  return (times.length - failed) / seconds
}

function child(stack: AsyncDisposableStack, program: string): Child {
  const started = new Child(program)
  stack.defer(async () => started.stop())
  return started
}

async function startPeer(stack: AsyncDisposableStack, relay: Victim, innocentId: string): Promise<Victim> {
  const echo = createTcpServer(socket => socket.on('error', () => {}).pipe(socket))
  const port = await listen(stack, echo)
  return Victim.peer(relay, [
    '--port',
    String(await freePort()),
    '--expose',
    `web=127.0.0.1:${port}`,
    '--allow',
    `web=${innocentId}`,
  ])
}

async function questionOf({ asks }: Attack, { relay, peer, victim }: Scene): Promise<Question> {
  const port = { http: relay.statusPort, 'web-socket': relay.webSocketPort }[asks as string] ?? victim.port
  const target = asks === 'ticket' ? await ticketOf(peer) : peer.addr
  return { kind: asks, port, relay: relay.addr, target }
}

async function ticketOf({ dataDir }: Victim): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    PROGRAMS.peer,
    'ticket',
    'web',
    '--quiet',
    '--data-dir',
    dataDir,
  ])
  return stdout.trim()
}

/** Answers attackers slowly. */
async function startAdmission(stack: AsyncDisposableStack): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isHostile = (await text(request)).includes(`/ip4/${ATTACKERS}/`)
    if (isHostile) await pause(SLOW_MS)
    response.end(JSON.stringify({ allow: !isHostile }))
  }
  const server = createServer((request, response) => void answer(request, response))
  return `http://127.0.0.1:${await listen(stack, server)}/`
}

async function listen(stack: AsyncDisposableStack, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  await using stack = new AsyncDisposableStack()
  return await listen(stack, createTcpServer())
}

async function print(): Promise<void> {
  const about = await circumstances()
  if (values.json) {
    console.log(
      JSON.stringify({
        about,
        results: results.map(({ attack, ...rest }) => ({ id: attack.id, before: attack.before, ...rest })),
      }),
    )
    return
  }
  console.log(
    Object.entries(about)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
  const head = [
    'attack',
    'bytes',
    'CPU',
    'CPU a MiB',
    'innocent, median (calm)',
    'innocent, max (calm)',
    'rate (failed)',
    'memory',
    '0.1: CPU',
    '0.1: innocent',
    '0.1: memory',
  ]
  console.log(table(head, results.map(rowOf)).join('\n'))
}

function rowOf({ attack, bytes, cpuMs, calm, attacked, memoryBytes, crashed }: Result): string[] {
  const { cost = '', delay = '', memory = '' } = attack.before
  const rate = (100 * perSecond(attacked)) / perSecond(calm)
  const compared = (of: (times: readonly number[]) => number): string =>
    `${of(attacked.times).toFixed(0)} ms (${of(calm.times).toFixed(0)} ms)`
  return [
    `${attack.id}: ${attack.title}`,
    `${(bytes / 1024).toFixed(0)} KiB`,
    crashed ? 'CRASHED' : `${cpuMs.toFixed(0)} ms`,
    crashed ? '' : `${((cpuMs * 2 ** 20) / bytes).toFixed(0)} ms`,
    compared(median),
    compared(times => Math.max(...times)),
    `${rate.toFixed(0)} % (${attacked.failed} of ${attacked.times.length})`,
    `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`,
    cost,
    delay,
    memory,
  ]
}
