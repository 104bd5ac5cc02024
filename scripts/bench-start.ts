/**
 * How long the programs take to start, and the memory of an idle listener: `npm run bench:start`.
 *
 * Runs the programs in dist/ and, with `--before`, those of another build, in turns. The processor time is that of the whole process, threads included.
 * `forward --stdio` counts until its first connection to the relay, a listener on loopback. Needs Linux and bash.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { circumstances, median, table } from './bench/stats.ts'
import type { ChildProcessByStdio } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '11' },
    /** The dist directory of an older build. */
    before: { type: 'string' },
    /** How long a listener is idle before its memory is read, in seconds. 0 leaves this out. */
    idle: { type: 'string', default: '30' },
  },
})
const runs = Number(values.runs)

/** No start takes so long, in milliseconds. */
const LIMIT_MS = 60_000

const PEER = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

interface Build {
  name: string
  dist: string
}

interface Cost {
  wallMs: number
  cpuMs: number
}

const builds: Build[] = [
  ...(values.before === undefined ? [] : [{ name: 'before', dist: resolve(values.before) }]),
  { name: 'now', dist: resolve(import.meta.dirname, '../dist') },
]
const scratch = mkdtempSync(join(tmpdir(), 'bench-start-'))

const peer = (...args: string[]) => [join('peer', 'bin', 'throughnat.js'), ...args]
const relay = (...args: string[]) => [join('relay', 'bin', 'throughnat-relay.js'), ...args]
const commands: Readonly<Record<string, string[]>> = {
  '`throughnat --help`': peer('--help'),
  '`throughnat --version`': peer('--version'),
  '`throughnat lisen` (no command)': peer('lisen'),
  '`throughnat id`': peer('id', '--data-dir', join(scratch, 'id')),
  '`throughnat-relay --help`': relay('--help'),
}

try {
  console.log(JSON.stringify({ ...(await circumstances()), runs }))
  const costs = await measureStarts()
  const bare = costs.get('node -e 0') ?? []
  console.log(`\nNode.js alone (\`node -e 0\`): ${printCost(bare)}\n`)
  costs.delete('node -e 0')
  const head = ['start, ms: wall clock, processor', ...builds.map(({ name }) => name)]
  const names = [...Object.keys(commands), '`throughnat forward --stdio`, to its first SYN']
  const rows = names.map(name => [
    name,
    ...builds.map(build => printCost(costs.get(`${build.name} ${name}`) ?? [])),
  ])
  console.log(table(head, rows).join('\n'))
  if (Number(values.idle) > 0) await measureMemory()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

async function measureStarts(): Promise<Map<string, Cost[]>> {
  const costs = new Map<string, Cost[]>()
  const add = (name: string, cost: Cost): void => {
    costs.set(name, [...(costs.get(name) ?? []), cost])
  }
  // the first run fills the caches of the system and of the programs, and does not count
  for (let run = -1; run < runs; run++) {
    const count = run < 0 ? () => {} : add
    count('node -e 0', costOf(['-e', '0']))
    for (const [name, [file = '', ...args]] of Object.entries(commands))
      for (const build of builds) count(`${build.name} ${name}`, costOf([join(build.dist, file), ...args]))
    for (const build of builds)
      count(`${build.name} \`throughnat forward --stdio\`, to its first SYN`, await costOfDial(build))
  }
  return costs
}

/** Runs Node.js to its end. The times of bash have a resolution of a millisecond. */
function costOf(args: string[]): Cost {
  const script = 'TIMEFORMAT="%3R %3U %3S"; { time "$@" >/dev/null 2>/dev/null; } 2>&1'
  const { stdout } = spawnSync('bash', ['-c', script, 'bash', process.execPath, ...args], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
  })
  const [wall = NaN, user = NaN, system = NaN] = stdout.trim().split(' ').map(Number)
  return { wallMs: wall * 1000, cpuMs: (user + system) * 1000 }
}

async function costOfDial({ dist }: Build): Promise<Cost> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const addr = `/ip4/127.0.0.1/tcp/${port}/p2p/${PEER}`
  const [file = '', ...args] = peer('forward', PEER, 'ssh', '--stdio', '--relay', addr)
  const start = performance.now()
  const child = spawn(process.execPath, [join(dist, file), ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  try {
    const [socket] = await once(server, 'connection', { signal: AbortSignal.timeout(LIMIT_MS) })
    const cost = { wallMs: performance.now() - start, cpuMs: processorMs(child.pid) }
    socket.destroy()
    return cost
  } finally {
    child.stdin.end()
    child.kill()
    server.close()
    await exited
  }
}

/** The processor time of the threads that a process has, from the scheduler (proc(5), schedstat: nanoseconds). */
function processorMs(pid = 0): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const times = tasks.map(task =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  )
  return times.reduce((sum, it) => sum + it, 0) / 1e6
}

async function measureMemory(): Promise<void> {
  const now = builds.at(-1)
  if (now === undefined) return
  const options = ['--listen', '/ip4/127.0.0.1/tcp/0', '--status', 'off', '--profile', 'public']
  const server = start(now, relay(...options, '--data-dir', join(scratch, 'relay')))
  const { addrs } = await eventOf(server, 'relay:ready')
  const addr = String((addrs as unknown[])[0])
  const listeners = builds.map(build => {
    const dataDir = join(scratch, build.name)
    return { build, child: start(build, peer('listen', '--relay', addr, '--data-dir', dataDir)) }
  })
  await Promise.all(listeners.map(({ child }) => eventOf(child, 'peer:ready')))
  await pause(Number(values.idle) * 1000)
  const head = ['memory, MiB', ...builds.map(({ name }) => name)]
  const rows = [
    `idle listener, one reservation, after ${values.idle} s`,
    ...listeners.map(it => residentMiB(it.child)),
  ]
  console.log(`\n${table(head, [rows]).join('\n')}`)
  for (const child of [...listeners.map(it => it.child), server]) {
    const exited = once(child, 'exit')
    child.kill('SIGINT')
    await exited
  }
}

function start({ dist }: Build, [file = '', ...args]: string[]): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, [join(dist, file), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

/** Waits for an event of a program, and reads the others, too, until its end. */
async function eventOf({ stdout }: { stdout: Readable }, name: string): Promise<Record<string, unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>()
  const timer = setTimeout(() => reject(new Error(`No event ${name}`)), LIMIT_MS)
  createInterface(stdout).on('line', line => {
    const event = JSON.parse(line) as Record<string, unknown>
    if (event['event'] === name) resolve(event)
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

function residentMiB({ pid = 0 }: { pid?: number | undefined }): string {
  const [, kib] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kib) / 1024).toFixed(1)
}

function printCost(costs: readonly Cost[]): string {
  const [wall, cpu] = [median(costs.map(it => it.wallMs)), median(costs.map(it => it.cpuMs))]
  return `${wall.toFixed(0)}, ${cpu.toFixed(0)}`
}
