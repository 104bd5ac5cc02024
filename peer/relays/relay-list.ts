/**
 * The relays that a peer knows: those it was given, those that names stand for (`/dnsaddr/...`), and those in a file, which may change while
 * the peer runs.
 */

import { unwatchFile, watchFile } from 'node:fs'
import { TypedEventEmitter } from 'main-event'
import { InvalidConfigError, InvalidTargetError } from '../../src/errors.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { linesIn, readTextFile } from '../../src/files/text-file.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { isDnsaddr, resolveDnsaddr } from './dnsaddr.ts'
import { readMultiaddr, relayIdOf } from '../connections/target.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ConfigProblem } from '../../src/errors.ts'

/** How often the file is looked at, and names are looked up, in milliseconds. A name server's own cache answers in between. */
const FILE_INTERVAL_MS = 1_000
const NAME_INTERVAL_MS = 5 * 60_000

/** Names are looked up again so soon, in milliseconds, while they stand for nothing. */
const NAME_RETRY_MS = 5_000

/** Relays that are taken from all sources; the rest is left out. */
const MAX_RELAYS = 128

/** One relay. */
export interface KnownRelay {
  readonly peerId: PeerId
  /** Each ends in the peer id; in the order in which they were given. */
  readonly addrs: readonly Multiaddr[]
}

/** What a relay list reports. */
export interface RelayListEvents {
  /** There are other relays than before. */
  'relays:changed': CustomEvent<undefined>
  /** A source could not be read; what it held before still counts. */
  'relays:failed': CustomEvent<{ source: string; reason: string }>
}

/** The list. */
export class RelayList extends TypedEventEmitter<RelayListEvents> {
  readonly #given: readonly Multiaddr[]
  readonly #file: string | undefined
  readonly #resolve: typeof resolveDnsaddr
  readonly #resolved = new Map<string, readonly Multiaddr[]>()
  readonly #stopped = new AbortController()
  #inFile: readonly Multiaddr[] = []
  #timer: NodeJS.Timeout | undefined
  #known = ''

  /**
   * @param given - each ends in the relay's peer id, or is a name
   * @param file - holds one address a line; what follows # is passed over
   * @throws {InvalidTargetError} if one is no address of a relay
   */
  constructor(given: readonly Multiaddr[], file?: string, resolve: typeof resolveDnsaddr = resolveDnsaddr) {
    super()
    this.#given = given.map(addr => readMultiaddr(addr.toString()))
    this.#given.forEach(assertRelayAddr)
    this.#file = file
    this.#resolve = resolve
  }

  /** The relays known now, those given first. */
  get relays(): KnownRelay[] {
    const byId = new Map<string, { peerId: PeerId; addrs: Multiaddr[] }>()
    for (const addr of this.#all().flatMap(
      it => this.#resolved.get(it.toString()) ?? (isDnsaddr(it) ? [] : [it]),
    )) {
      const peerId = relayIdOf(addr)
      const relay = byId.get(peerId.toString()) ?? { peerId, addrs: [] }
      if (!relay.addrs.some(it => it.equals(addr))) relay.addrs.push(addr)
      byId.set(peerId.toString(), relay)
    }
    return [...byId.values()].slice(0, MAX_RELAYS)
  }

  /** True if this peer is one of them. */
  has(peerId: PeerId | string): boolean {
    return this.relays.some(it => it.peerId.toString() === peerId.toString())
  }

  /**
   * Reads the file, and begins to look up names and to watch for changes.
   *
   * @throws {InvalidConfigError} if the file cannot be read, or holds something else
   */
  async start(): Promise<void> {
    if (this.#file !== undefined) {
      this.#inFile = await readRelayFile(this.#file)
      watchFile(this.#file, { interval: FILE_INTERVAL_MS, persistent: false }, this.#onFileChange)
    }
    this.#known = this.#summary()
    void this.refresh()
  }

  /** Looks names up again, because the network has changed or no relay answers. Never throws. */
  async refresh(): Promise<void> {
    clearTimeout(this.#timer)
    const names = this.#all().filter(isDnsaddr)
    if (names.length === 0 || this.#stopped.signal.aborted) return
    await Promise.all(names.map(async name => this.#lookUp(name)))
    if (this.#stopped.signal.aborted) return
    this.#tell()
    const isComplete = names.every(name => this.#resolved.has(name.toString()))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.refresh(), isComplete ? NAME_INTERVAL_MS : NAME_RETRY_MS)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped.abort(new Error('the peer was stopped'))
    clearTimeout(this.#timer)
    if (this.#file !== undefined) unwatchFile(this.#file, this.#onFileChange)
  }

  #all(): readonly Multiaddr[] {
    return [...this.#given, ...this.#inFile]
  }

  #onFileChange = (): void => {
    void this.#readFileAgain()
  }

  async #readFileAgain(): Promise<void> {
    const file = this.#file as string
    try {
      this.#inFile = await readRelayFile(file)
      if (this.#stopped.signal.aborted) return
      this.#tell()
      await this.refresh()
    } catch (error) {
      this.safeDispatchEvent('relays:failed', { detail: { source: file, reason: (error as Error).message } })
    }
  }

  async #lookUp(name: Multiaddr): Promise<void> {
    const source = name.toString()
    try {
      const found = await this.#resolve(name, { signal: this.#stopped.signal })
      const addrs = found.filter(isRelayAddr)
      if (addrs.length === 0) throw new Error('the name stands for no relay')
      this.#resolved.set(source, addrs)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      this.safeDispatchEvent('relays:failed', { detail: { source, reason: describeFailure(error) } })
    }
  }

  #tell(): void {
    const summary = this.#summary()
    if (summary === this.#known) return
    this.#known = summary
    this.safeDispatchEvent('relays:changed')
  }

  #summary(): string {
    return this.relays.flatMap(it => it.addrs.map(String)).join(' ')
  }
}

/** Reads a file of relays. Throws {@link InvalidConfigError}, with all that is wrong. */
async function readRelayFile(path: string): Promise<Multiaddr[]> {
  const problems: ConfigProblem[] = []
  const addrs: Multiaddr[] = []
  for (const [index, line] of (await linesOf(path)).entries()) {
    const text = line.replace(/#.*/, '').trim()
    if (text === '') continue
    try {
      const addr = readMultiaddr(text)
      assertRelayAddr(addr)
      addrs.push(addr)
    } catch (error) {
      problems.push({ where: `${path}:${index + 1}`, what: (error as Error).message })
    }
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return addrs
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return linesIn(await readTextFile(path))
  } catch (error) {
    const what = `the file of relays cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw new InvalidConfigError([{ where: path, what }])
  }
}

function assertRelayAddr(addr: Multiaddr): void {
  if (isDnsaddr(addr)) return
  relayIdOf(addr)
  try {
    endpointOf(addr)
  } catch (cause) {
    throw new InvalidTargetError(addr.toString(), 'it does not say where the relay is', { cause })
  }
}

function isRelayAddr(addr: Multiaddr): boolean {
  try {
    assertRelayAddr(addr)
    return !isDnsaddr(addr)
  } catch {
    return false
  }
}
