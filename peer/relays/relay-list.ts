/**
 * The relays that a peer knows: given ones, those of names (`/dnsaddr/...`), and those of a file that may
 * change.
 *
 * If a source cannot be read, its previous relays stay in the list.
 */

import { unwatchFile, watchFile } from 'node:fs'
import { TypedEventEmitter } from 'main-event'
import { InvalidTargetError } from '../../src/errors.ts'
import { relayIdOf } from '../../src/addresses/circuit.ts'
import { endpointOf, withoutPeerId } from '../../src/addresses/endpoint.ts'
import { readLineFile } from '../../src/files/line-file.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { NameSchedule } from './name-schedule.ts'
import { isDnsaddr, resolveDnsaddr } from './dnsaddr.ts'
import { readMultiaddr } from '../connections/target.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How often the file is checked, in milliseconds. */
const FILE_INTERVAL_MS = 1_000

/** Names that are looked up at a time, of all in the list. */
const MAX_NAMES_AT_ONCE = 4

/** Most relays from all sources. The rest is ignored. */
const MAX_RELAYS = 128

/** One relay. */
export interface KnownRelay {
  readonly peerId: PeerId
  /** Each ends in the peer id. In the order in which they were given. */
  readonly addrs: readonly Multiaddr[]
}

/** The events of a relay list. */
export interface RelayListEvents {
  /** The list of relays has changed. */
  'relays:changed': CustomEvent<undefined>
  /** A source could not be read. Its previous relays stay in the list. */
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
  /** Of the relays known now; undefined after a change. It is asked several times for each connection. */
  #ids: ReadonlySet<string> | undefined
  readonly #schedule = new NameSchedule()
  #lastRound: Promise<void> = Promise.resolve()
  /** True if all names are to be looked up, whatever the schedule says. */
  #isStale = false
  #timer: NodeJS.Timeout | undefined
  #known = ''

  /**
   * @param given - each ends in the relay's peer id, or is a name
   * @param file - has one address per line
   * @throws {InvalidTargetError} if one is no address of a relay
   */
  constructor(given: readonly Multiaddr[], file?: string, resolve: typeof resolveDnsaddr = resolveDnsaddr) {
    super()
    this.#given = given.map(addr => readMultiaddr(addr.toString()))
    this.#given.forEach(assertRelayAddr)
    this.#file = file
    this.#resolve = resolve
  }

  /** The relays known now, given ones first. */
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
    this.#ids ??= new Set(this.relays.map(it => it.peerId.toString()))
    return this.#ids.has(peerId.toString())
  }

  /** True if one of them has this address, which has no peer id. */
  isAt(addr: Multiaddr): boolean {
    return this.relays.some(({ addrs }) => addrs.some(it => withoutPeerId(it).equals(addr)))
  }

  /**
   * Reads the file. Starts to resolve names and to watch for changes.
   *
   * @throws {InvalidConfigError} if the file cannot be read, or has a malformed line
   */
  async start(): Promise<void> {
    if (this.#file !== undefined) {
      this.#inFile = await readRelayFile(this.#file)
      this.#ids = undefined
      watchFile(this.#file, { interval: FILE_INTERVAL_MS, persistent: false }, this.#onFileChange)
    }
    this.#known = this.#summary()
    void this.refresh()
  }

  /** Resolves all names again, because the network has changed. Never rejects. */
  async refresh(): Promise<void> {
    this.#isStale = true
    await this.#lookUpDue()
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
      this.#ids = undefined
      if (this.#stopped.signal.aborted) return
      this.#tell()
      await this.#lookUpDue()
    } catch (error) {
      this.safeDispatchEvent('relays:failed', { detail: { source: file, reason: (error as Error).message } })
    }
  }

  /** Resolves the names that are due. One round is under way at a time. */
  async #lookUpDue(): Promise<void> {
    this.#lastRound = this.#lastRound.then(async () => this.#lookUpOnce())
    await this.#lastRound
  }

  async #lookUpOnce(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#isStale) this.#schedule.reset()
    this.#isStale = false
    const names = new Map(
      this.#all()
        .filter(isDnsaddr)
        .map(it => [it.toString(), it]),
    )
    const due = this.#schedule.due([...names.keys()])
    for (let at = 0; at < due.length && !this.#stopped.signal.aborted; at += MAX_NAMES_AT_ONCE) {
      const some = due.slice(at, at + MAX_NAMES_AT_ONCE).flatMap(it => names.get(it) ?? [])
      await Promise.all(some.map(async name => this.#lookUp(name)))
      if (!this.#stopped.signal.aborted) this.#tell()
    }
    const { nextInMs } = this.#schedule
    if (this.#stopped.signal.aborted || nextInMs === undefined) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#lookUpDue(), nextInMs)
    this.#timer.unref()
  }

  async #lookUp(name: Multiaddr): Promise<void> {
    const source = name.toString()
    try {
      const found = await this.#resolve(name, { signal: this.#stopped.signal })
      const addrs = found.filter(isRelayAddr)
      if (addrs.length === 0) throw new Error('the name has no relay address')
      this.#resolved.set(source, addrs)
      this.#ids = undefined
      this.#schedule.note(source, true)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      this.#schedule.note(source, false)
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

/** Reads a file of relays. Throws {@link InvalidConfigError} with all lines that are no address of a relay. */
async function readRelayFile(path: string): Promise<Multiaddr[]> {
  return readLineFile(path, 'relay-file', text => {
    const addr = readMultiaddr(text)
    assertRelayAddr(addr)
    return addr
  })
}

function assertRelayAddr(addr: Multiaddr): void {
  if (isDnsaddr(addr)) return
  relayIdOf(addr)
  try {
    endpointOf(addr)
  } catch (cause) {
    throw new InvalidTargetError(addr.toString(), 'it contains no host and port', { cause })
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
