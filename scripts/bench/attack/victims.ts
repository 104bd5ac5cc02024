/** The programs under attack: relay and peer as they are shipped, from dist/, each in a process of its own. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ChildProcess } from 'node:child_process'

/** Where the programs are: this version's, or with `--dist` those of another. */
const { dist } = parseArgs({
  options: { dist: { type: 'string', default: fileURLToPath(new URL('../../../dist', import.meta.url)) } },
  strict: false,
}).values

/** The programs, by name. */
export const PROGRAMS = {
  relay: join(String(dist), 'relay/bin/throughnat-relay.js'),
  peer: join(String(dist), 'peer/bin/throughnat.js'),
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

let profileDir: string | undefined

/** Has programs that start from now on write a CPU profile to this directory when they end. */
export function profileTo(dir: string): void {
  profileDir = dir
}

/** Time for a program to get ready, in milliseconds. */
const READY_MS = 60_000

/** What an attack has cost a process so far. */
export interface Cost {
  /** Processor time of all its threads, in milliseconds. */
  cpuMs: number
  rssBytes: number
  /** The most since the last call of {@link Victim.mark}. */
  peakRssBytes: number
}

/** A running program. */
export class Victim implements AsyncDisposable {
  readonly dataDir: string
  /** The addresses that it has reported. */
  readonly addrs: readonly string[]
  readonly #status: string
  readonly #child: ChildProcess
  readonly #port: number | undefined

  private constructor(
    child: ChildProcess,
    dataDir: string,
    addrs: readonly string[],
    status: string,
    port?: number,
  ) {
    this.#port = port
    this.#child = child
    this.dataDir = dataDir
    this.addrs = addrs
    this.#status = status
  }

  /** Starts a relay on loopback. */
  static async relay(args: readonly string[] = [], listen = ['/ip4/127.0.0.1/tcp/0']): Promise<Victim> {
    return Victim.#start(
      PROGRAMS.relay,
      [...listen.flatMap(it => ['--listen', it]), '--status', '127.0.0.1:0', ...args],
      'relay:ready',
    )
  }

  /** Starts a peer that has a reservation. */
  static async peer(relay: Victim, args: readonly string[] = []): Promise<Victim> {
    return Victim.#start(PROGRAMS.peer, ['listen', '--relay', relay.addr, ...args], 'peer:ready')
  }

  static async #start(program: string, args: readonly string[], event: string): Promise<Victim> {
    if (!existsSync(program)) throw new Error(`${program} is missing: run npm run build`)
    const dataDir = await mkdtemp(join(tmpdir(), 'throughnat-bench-'))
    const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir]
    const child = spawn(process.execPath, [...profile, program, ...args, '--json', '--data-dir', dataDir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>()
    child.once('exit', code => reject(new Error(`${program} ended with ${code}`)))
    const timer = setTimeout(() => reject(new Error(`${program} is not ready`)), READY_MS)
    createInterface(child.stdout!).on('line', line => {
      const printed = JSON.parse(line) as Record<string, unknown>
      if (printed['event'] === event) resolve(printed)
    })
    const ready = await promise.finally(() => clearTimeout(timer))
    const at = args.indexOf('--port')
    return new Victim(
      child,
      dataDir,
      ready['addrs'] as string[],
      (ready['status'] as string | undefined) ?? '',
      at === -1 ? undefined : Number(args[at + 1]),
    )
  }

  /** A relay's address, or a peer's circuit address. */
  get addr(): string {
    return this.addrs.find(it => !it.includes('/ws/')) ?? ''
  }

  /** Its own address on loopback. */
  get ownAddr(): string {
    return `/ip4/127.0.0.1/tcp/${this.port}/p2p/${this.addr.split('/p2p/').at(-1)}`
  }

  /** The port that it was told to listen on, or that its address names. */
  get port(): number {
    return this.#port ?? portOf(this.addr)
  }

  /** The port of a relay's WebSocket listener. */
  get webSocketPort(): number {
    return portOf(this.addrs.find(it => it.includes('/ws/')) ?? '')
  }

  get statusPort(): number {
    return Number(new URL(this.#status).port)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Measures, and forgets the peak of memory so far. */
  mark(): Cost {
    try {
      writeFileSync(`/proc/${this.pid}/clear_refs`, '5')
    } catch {
      // the peak is that of the process then
    }
    return this.cost()
  }

  cost(): Cost {
    // proc_pid_stat(5): the name may have spaces in it, and ends at the last parenthesis
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
    // clock ticks of 10 ms
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
      rssBytes: bytes('VmRSS'),
      peakRssBytes: bytes('VmHWM'),
    }
  }

  /** Bytes in its data directory. */
  async diskBytes(): Promise<number> {
    const files = await readdir(this.dataDir, { recursive: true, withFileTypes: true })
    const sizes = files
      .filter(it => it.isFile())
      .map(async it => (await stat(join(it.parentPath, it.name)).catch(() => undefined))?.size ?? 0)
    return (await Promise.all(sizes)).reduce((sum, it) => sum + it, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) {
      const gone = new Promise(resolve => this.#child.once('exit', resolve))
      // a profile is written at the end of a program
      this.#child.kill(profileDir === undefined ? 'SIGKILL' : 'SIGTERM')
      await gone
    }
    await rm(this.dataDir, { recursive: true, force: true })
  }
}

/** The port in an address. */
function portOf(addr: string): number {
  return Number(/\/tcp\/(\d+)/.exec(addr)?.[1])
}
