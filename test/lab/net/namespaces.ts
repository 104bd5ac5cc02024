/**
 * Network namespaces that belong to one process and never outlive it for long.
 *
 * Their names start with the owner's pid (`tn4711x0-relay`), so any number of networks can live side by side in
 * any number of processes, and whoever starts later can sweep away what a killed process has left.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { spawnSync } from 'node:child_process'
import { LabCommandError, run } from './command.ts'
import type { CommandOptions, CommandOutput } from './command.ts'

const NAMESPACE_DIR = '/run/netns'
const LINK_UP_TIMEOUT_MS = 5000
const DEATH_TIMEOUT_MS = 5000

/** Settings that every namespace of the lab gets before it has a device. */
const SETTINGS: readonly (readonly [string, string])[] = [
  // Duplicate address detection would keep a fresh IPv6 address unusable for a second.
  ['net/ipv6/conf/all/accept_dad', '0'],
  ['net/ipv6/conf/default/accept_dad', '0'],
  // 1: no automatic link-local addresses. The lab gives fixed ones.
  ['net/ipv6/conf/default/addr_gen_mode', '1'],
  // The wide area's detour through the forwarder is asymmetric on purpose.
  ['net/ipv4/conf/all/rp_filter', '0'],
  ['net/ipv4/conf/default/rp_filter', '0'],
  // A reject must answer every SYN, not one a second.
  ['net/ipv4/icmp_ratelimit', '0'],
  ['net/ipv6/icmp/ratelimit', '0'],
]

const FORWARDING: readonly (readonly [string, string])[] = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
  ['net/ipv4/conf/all/send_redirects', '0'],
  ['net/ipv4/conf/default/send_redirects', '0'],
  // Docker loads br_netfilter, which would pass what hosts of one LAN say to each other through the NAT.
  ['net/bridge/bridge-nf-call-iptables', '0'],
  ['net/bridge/bridge-nf-call-ip6tables', '0'],
]

/** One namespace, addressed by name. It holds no state of its own and can be deleted from anywhere. */
export class Namespace {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  /** The command line that runs `command` inside, as the same process (no fork). */
  enter(command: readonly string[]): string[] {
    return ['nsenter', `--net=${NAMESPACE_DIR}/${this.name}`, '--', ...command]
  }

  /** Runs a program inside, to its end. */
  async exec(command: readonly string[], options?: CommandOptions): Promise<CommandOutput> {
    return await run(this.enter(command), options)
  }

  /** Applies lines of `ip` commands in one go (without the leading word `ip`). Addresses tell their family. */
  async ip(lines: readonly string[], family: 'any' | 'ipv6' = 'any'): Promise<void> {
    const command = ['ip', ...(family === 'ipv6' ? ['-6'] : []), '-n', this.name, '-batch', '-']
    await run(command, { input: `${lines.join('\n')}\n` })
  }

  /**
   * Resolves when a device carries packets. The kernel brings a link up a moment, sometimes a second, after both
   * of its ends were told to, and drops what is sent before.
   */
  async linkIsUp(device: string): Promise<void> {
    const deadline = performance.now() + LINK_UP_TIMEOUT_MS
    for (;;) {
      const { stdout } = await run(['ip', '-n', this.name, 'link', 'show', 'dev', device])
      if (stdout.includes('state UP')) return
      if (performance.now() > deadline) throw new Error(`${device} in ${this.name} stays down:\n${stdout}`)
    }
  }

  /** Loads nftables commands as one transaction. */
  async nft(commands: string): Promise<void> {
    await this.exec(['nft', '-f', '-'], { input: commands })
  }

  /**
   * Writes kernel settings (paths below /proc/sys), as far as the kernel has them. The network ones are per
   * namespace.
   */
  async set(settings: readonly (readonly [path: string, value: string])[]): Promise<void> {
    await this.exec(['sh', '-e'], { input: settingScript(settings) })
  }
}

/** Creates a namespace with its loopback device up; `forwarding` makes it a router. */
export async function createNamespace(name: string, init: { forwarding: boolean }): Promise<Namespace> {
  await run(['ip', 'netns', 'add', name])
  const namespace = new Namespace(name)
  const settings = init.forwarding ? [...SETTINGS, ...FORWARDING] : SETTINGS
  await namespace.exec(['sh', '-e'], { input: `${settingScript(settings)}ip link set lo up\n` })
  return namespace
}

function settingScript(settings: readonly (readonly [path: string, value: string])[]): string {
  return settings
    .map(([path, value]) => `test ! -e /proc/sys/${path} || echo ${value} > /proc/sys/${path}\n`)
    .join('')
}

let networks = 0

/** The prefix of the next network's namespaces in this process. */
export function nextNamespacePrefix(): string {
  return `tn${process.pid}x${networks++}-`
}

/**
 * Deletes namespaces at once, with whatever still runs inside. Synchronous, so that it works while the process
 * is ending. Names that are gone already are no error.
 */
export function deleteNamespaces(names: readonly string[]): void {
  const present = names.filter(name => inodeOf(name) !== undefined)
  if (present.length === 0) return
  for (const pid of processesInside(present)) killProcess(pid)
  const command = ['ip', '-force', '-batch', '-']
  const { error } = spawnSync('ip', command.slice(1), {
    input: present.map(name => `netns del ${name}\n`).join(''),
    timeout: 10_000,
  })
  if (error !== undefined) throw new LabCommandError(command, error.message, { stdout: '', stderr: '' })
}

/** Kills whatever runs inside, and resolves when it is gone. */
export async function emptyNamespaces(names: readonly string[]): Promise<void> {
  const deadline = performance.now() + DEATH_TIMEOUT_MS
  for (let pids = processesInside(names); pids.length > 0; pids = processesInside(names)) {
    if (performance.now() > deadline) throw new Error(`cannot kill ${pids.join(', ')} in ${names.join(', ')}`)
    for (const pid of pids) killProcess(pid)
    await setTimeout(1) // the death of a process that is nobody's child here is no event
  }
}

/** Deletes the namespaces of owners that no longer run. Those of a living owner are never touched. */
export function sweepNamespaces(): readonly string[] {
  const abandoned = listNamespaces().filter(name => {
    const owner = /^tn(\d+)x\d+-/.exec(name)?.[1]
    return owner !== undefined && !isRunning(Number(owner))
  })
  deleteNamespaces(abandoned)
  return abandoned
}

/** The pids of all processes whose network is one of the named namespaces. */
export function processesInside(names: readonly string[]): number[] {
  const inodes = new Set(names.map(inodeOf).filter(inode => inode !== undefined))
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .filter(pid => inodes.has(networkInodeOf(pid) ?? -1))
}

function listNamespaces(): string[] {
  try {
    return readdirSync(NAMESPACE_DIR)
  } catch {
    return [] // no namespace was ever made on this machine
  }
}

function inodeOf(name: string): number | undefined {
  return statSync(`${NAMESPACE_DIR}/${name}`, { throwIfNoEntry: false })?.ino
}

function networkInodeOf(pid: number): number | undefined {
  try {
    return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0])
  } catch {
    return undefined // ended meanwhile, or a zombie
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ended meanwhile
  }
}
