/**
 * Keeps ports of this host mapped at the gateway of its network, by the first of PCP, NAT-PMP and UPnP that
 * works.
 *
 * It runs in rounds: determine the network, renew the mappings, search for missing ones. Invariant: a round
 * never throws, and no other code waits for it. Renewing also checks the mapping: a router that has restarted
 * creates it again, and a silent router has lost it.
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import { isIPv4 } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { MappingRefusedError } from './mapper.ts'
import { SEARCH_TIMEOUT_MS, findNetwork, finders } from './probe.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { MappingAdded, MappingFailed, MappingLost } from './events.ts'
import type { FindMapper, Lease, Mapper, MappingProtocol, Network } from './mapper.ts'

/**
 * Interval of rounds, in milliseconds. go-libp2p renews every 20 s (p2p/net/nat `MappingDuration / 3`). A
 * round costs two datagrams, or two HTTP requests.
 */
const ROUND_INTERVAL_MS = 60_000
/** RFC 6887 section 11.2.1: at most one renewal in 4 s, however short the lifetime is. */
const MIN_ROUND_INTERVAL_MS = 4_000
/** Pauses between unsuccessful searches double up to this, in ms: libp2p's `addressVerificationTTL`. */
const MAX_SEARCH_PAUSE_MS = 600_000
/** How long a known gateway may take for one mapping, in milliseconds: all five questions of RFC 6886. */
const MAP_TIMEOUT_MS = 8_000
/** Time to remove all mappings, in milliseconds. RFC 6886 repeats a question after 250 and 750 ms. */
const UNMAP_TIMEOUT_MS = 1_500
/** The most ports to map. A peer listens on one. */
const MAX_PORTS = 4

/** A TCP listener's endpoint. */
export interface LocalEndpoint {
  readonly family: 4 | 6
  readonly host: string
  readonly port: number
}

/** A mapping in force. */
export interface Mapping {
  readonly protocol: MappingProtocol
  readonly internal: { readonly host: string; readonly port: number }
  /** `/ip4/.../tcp/...` */
  readonly external: Multiaddr
  readonly lifetimeMs: number
}

export interface PortMappingEvents {
  added: CustomEvent<MappingAdded & { mapping: Mapping }>
  lost: CustomEvent<MappingLost & { mapping: Mapping }>
  failed: CustomEvent<MappingFailed>
}

export interface PortMappingInit {
  /** The current listeners, wildcards resolved. Only IPv4 on the address of the default route is mapped. */
  ports(): readonly LocalEndpoint[]
  /** Writes a log line for debugging. @default no log */
  log?(format: string, ...args: unknown[]): void
  /** @default 60 s */
  intervalMs?: number
  /** The protocols to use, and how each is searched. @default all three */
  find?: Partial<Record<MappingProtocol, FindMapper>>
  /** Determines the network. @default from the routing table */
  network?(): Promise<Network | undefined>
}

interface Held {
  readonly mapping: Mapping
  readonly lease: Lease
  readonly mapper: Mapper
}

export class PortMapping extends TypedEventEmitter<PortMappingEvents> {
  readonly #init: Required<PortMappingInit>
  readonly #held = new Map<number, Held>()
  /** The mapping that the gateway may create although its request was abandoned. */
  #underway: { mapper: Mapper; port: number } | undefined
  #network: Network | undefined
  #running: AbortController | undefined
  #round: Promise<void> | undefined
  #isDue = false
  #timer: NodeJS.Timeout | undefined
  #nextSearchAt = 0
  #searchPauseMs = 0
  #failure = ''

  constructor(init: PortMappingInit) {
    super()
    this.#init = {
      log: () => {},
      intervalMs: ROUND_INTERVAL_MS,
      find: finders,
      network: findNetwork,
      ...init,
    }
  }

  /** The mappings in force. */
  get mappings(): Mapping[] {
    return [...this.#held.values()].map(it => it.mapping)
  }

  /** Starts the rounds and returns immediately. */
  start(): void {
    if (this.#running !== undefined) return
    this.#running = new AbortController()
    void this.refresh()
  }

  /** Runs a round now: call it when network or listeners have changed. Resolves after it, never rejects. */
  async refresh(): Promise<void> {
    this.#searchPauseMs = 0
    this.#nextSearchAt = 0
    this.#begin()
    await this.#round
  }

  /** Removes all mappings. Resolves after at most 1.5 s, also without an answer. Never rejects. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return
    this.#running.abort(new Error('port mapping was stopped'))
    this.#running = undefined
    clearTimeout(this.#timer)
    await this.#round
    const { signal } = new AbortController()
    const leftOver = this.#underway === undefined ? [] : [this.#underway]
    const all = [...this.#held.entries()].map(([port, { mapper }]) => ({ mapper, port }))
    for (const port of this.#held.keys()) this.#lose(port, 'stopped')
    await Promise.all(
      [...all, ...leftOver].map(async ({ mapper, port }) => this.#unmap(mapper, port, signal)),
    )
    this.#underway = undefined
    this.#network = undefined
    this.#failure = ''
  }

  #begin(): void {
    const signal = this.#running?.signal
    if (signal === undefined) return
    this.#isDue = true
    this.#round ??= this.#rounds(signal)
  }

  async #rounds(signal: AbortSignal): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#isDue && !signal.aborted) {
      this.#isDue = false
      try {
        await this.#runRound(signal)
      } catch (error) {
        if (!signal.aborted) this.#init.log('a round failed - %e', error)
      }
    }
    this.#round = undefined
    if (signal.aborted) return
    this.#timer = setTimeout(() => this.#begin(), this.#intervalMs()).unref()
  }

  /** RFC 6886 section 3.3: a lease is renewed after half of its lifetime. The interval is usually shorter. */
  #intervalMs(): number {
    const halves = [...this.#held.values()].map(it => it.lease.lifetimeMs / 2)
    return Math.min(this.#init.intervalMs, Math.max(MIN_ROUND_INTERVAL_MS, Math.min(...halves)))
  }

  async #runRound(signal: AbortSignal): Promise<void> {
    const ports = this.#init.ports().filter(it => it.family === 4 && scopeOf(it.host) === 'private')
    const network = ports.length === 0 ? this.#network : await this.#init.network()
    signal.throwIfAborted()
    if (isOther(network, this.#network)) this.#move(network)
    const wanted = new Set(ports.filter(it => it.host === network?.ownAddress).map(it => it.port))
    await this.#release(wanted, signal)
    if (ports.length === 0) return
    if (network === undefined) return this.#fail({ reason: 'no-gateway' })
    // a host with a public address needs no mapping
    if (scopeOf(network.ownAddress) !== 'private' || wanted.size === 0) return
    const missing = await this.#renew(signal, [...wanted].slice(0, MAX_PORTS))
    if (missing.length > 0) await this.#search(network, missing, signal)
  }

  /** Drops all mappings without removing them, because the old gateway is out of reach from here. */
  #move(network: Network | undefined): void {
    for (const port of this.#held.keys()) this.#lose(port, 'network-changed')
    this.#network = network
    this.#searchPauseMs = 0
    this.#nextSearchAt = 0
  }

  async #release(wanted: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    for (const [port, { mapper }] of [...this.#held].filter(([port]) => !wanted.has(port))) {
      this.#lose(port, 'not-listening')
      await this.#discard(mapper, port, signal)
    }
  }

  /** Renews the mappings. Resolves with the ports that have none, or have lost theirs. */
  async #renew(signal: AbortSignal, ports: readonly number[]): Promise<number[]> {
    const missing: number[] = []
    for (const port of ports) {
      const held = this.#held.get(port)
      if (held !== undefined && (await this.#map(held.mapper, port, signal)) === undefined) continue
      // a gateway that dropped a mapping may have restarted or moved: search for it immediately
      if (held !== undefined) this.#nextSearchAt = 0
      missing.push(port)
    }
    return missing
  }

  /** Searches all protocols at the same time. The first gateway that answers and maps the port wins. */
  async #search(network: Network, ports: readonly number[], signal: AbortSignal): Promise<void> {
    if (performance.now() < this.#nextSearchAt) return
    const done = new AbortController()
    const limit = AbortSignal.any([signal, done.signal, AbortSignal.timeout(SEARCH_TIMEOUT_MS)])
    const searches = Object.values(this.#init.find).map(async find => find(network, limit))
    let missing = ports
    let failure: MappingFailed = { reason: 'no-protocol' }
    try {
      for await (const mapper of inOrderOfSuccess(searches)) {
        const failures = []
        for (const port of missing) failures.push([port, await this.#map(mapper, port, signal)] as const)
        missing = failures.flatMap(([port, reason]) => (reason === undefined ? [] : port))
        if (missing.length === 0) break
        failure = failures.find(([, reason]) => reason !== undefined)?.[1] ?? failure
      }
    } finally {
      done.abort()
    }
    signal.throwIfAborted()
    const reason = failure.reason === 'no-protocol' ? 'gateway-silent' : 'refused'
    for (const port of missing) this.#lose(port, reason)
    if (missing.length > 0) this.#fail(failure)
  }

  /** Maps or renews. Resolves with the reason if it fails. */
  async #map(mapper: Mapper, port: number, signal: AbortSignal): Promise<MappingFailed | undefined> {
    const { protocol } = mapper
    const held = this.#held.get(port)?.lease
    this.#underway = { mapper, port }
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(MAP_TIMEOUT_MS)])
      const lease = await mapper.map(port, held, limit)
      signal.throwIfAborted()
      const isPublic = isIPv4(lease.externalAddress) && scopeOf(lease.externalAddress) === 'public'
      if (isPublic) this.#keep(port, { mapper, lease })
      else await this.#discard(mapper, port, signal)
      this.#underway = undefined
      const { externalAddress } = lease
      return isPublic ? undefined : { reason: 'external-address-private', protocol, externalAddress }
    } catch (error) {
      signal.throwIfAborted()
      this.#init.log('%s failed to map port %d - %e', protocol, port, error)
      this.#underway = undefined
      // remove what an interrupted request may have created
      if (!(error instanceof MappingRefusedError)) await this.#discard(mapper, port, signal)
      return { reason: 'refused', protocol }
    }
  }

  #keep(port: number, { mapper, lease }: Omit<Held, 'mapping'>): void {
    const external = multiaddr(`/ip4/${lease.externalAddress}/tcp/${lease.externalPort}`)
    const internal = { host: this.#network?.ownAddress ?? '', port }
    const { protocol } = mapper
    const mapping = { protocol, internal, external, lifetimeMs: lease.lifetimeMs }
    const isSame = this.#held.get(port)?.mapping.external.equals(external) === true
    if (!isSame) this.#lose(port, 'changed')
    this.#held.set(port, { mapping, lease, mapper })
    this.#searchPauseMs = 0
    this.#failure = ''
    if (isSame) return
    this.#init.log('%s mapped %a to port %d', protocol, external, port)
    this.safeDispatchEvent('added', { detail: { protocol, addr: external, mapping } })
  }

  #lose(port: number, reason: MappingLost['reason']): void {
    const mapping = this.#held.get(port)?.mapping
    if (mapping === undefined) return
    this.#held.delete(port)
    this.#init.log('the mapping of %a is lost: %s', mapping.external, reason)
    const { protocol, external: addr } = mapping
    this.safeDispatchEvent('lost', { detail: { protocol, addr, reason, mapping } })
  }

  #fail(detail: MappingFailed): void {
    this.#searchPauseMs = Math.min(
      Math.max(this.#init.intervalMs, this.#searchPauseMs * 2),
      MAX_SEARCH_PAUSE_MS,
    )
    // slightly less than the pause, so that the round at its end does not come too early
    this.#nextSearchAt = performance.now() + this.#searchPauseMs * 0.9
    if (this.#failure === detail.reason) return
    this.#failure = detail.reason
    this.#init.log('no port is mapped: %s', detail.reason)
    this.safeDispatchEvent('failed', { detail })
  }

  /** Removes a mapping during a round. If the round is interrupted, `stop` removes it. */
  async #discard(mapper: Mapper, port: number, signal: AbortSignal): Promise<void> {
    this.#underway = { mapper, port }
    await this.#unmap(mapper, port, signal)
    signal.throwIfAborted()
    this.#underway = undefined
  }

  /** Removes a mapping. If that fails, the mapping ends with its lifetime. */
  async #unmap(mapper: Mapper, port: number, signal: AbortSignal): Promise<void> {
    try {
      await mapper.unmap(port, AbortSignal.any([signal, AbortSignal.timeout(UNMAP_TIMEOUT_MS)]))
    } catch (error) {
      this.#init.log('port %d stays mapped until its lease ends - %e', port, error)
    }
  }
}

function isOther(one: Network | undefined, other: Network | undefined): boolean {
  return one?.gateway !== other?.gateway || one?.ownAddress !== other?.ownAddress
}

/** Yields the values of promises in the order in which they resolve. Skips those that reject. */
async function* inOrderOfSuccess<T>(promises: ReadonlyArray<Promise<T>>): AsyncGenerator<T, void, undefined> {
  const pending = new Map(
    promises.map((promise, index) => [
      index,
      promise.then(
        value => ({ index, value }),
        () => ({ index, value: undefined }),
      ),
    ]),
  )
  while (pending.size > 0) {
    const { index, value } = await Promise.race(pending.values())
    pending.delete(index)
    if (value !== undefined) yield value
  }
}
