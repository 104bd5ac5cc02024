/**
 * One punch: dials all candidates of a remote at once from the punch port, again and again, until a connection is
 * proved or the window closes.
 *
 * Redialling (redial.ts) makes the SYNs of both sides cross in flight. Meanwhile a SYN of the remote may come
 * in at the listener that shares the port; it is claimed and upgraded with the role that DCUtR dealt.
 *
 * The initiator chooses the first proved connection. The responder chooses by itself, and may choose another one: what is connected is never reset, and closed
 * by the initiator when it has not been used for a while.
 *
 * The candidates are the remote's word. Each dial is taken from a budget that all punches of the node share.
 */

import { scopeOf } from '../../addresses/scope.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { endpointOf } from '../../addresses/endpoint.ts'
import { HolePunchFailedError } from '../../errors.ts'
import { awakeTimeout } from '../../time/awake-timeout.ts'
import { optimisticUpgrader } from '../../protocols/optimistic-upgrade.ts'
import { agreeSilently, isWrongPeer, onProposal, pin } from './handshake.ts'
import { jitter, MAX_DIALS, MAX_PRIVATE_DIALS, redialDelayMs } from './redial.ts'
import type { LossyPaths } from '../paths/lossy-paths.ts'
import { losesFullPackets, noteLoss, proveConnection } from '../paths/proof.ts'
import { CloseWhenIdle } from '../paths/close-when-idle.ts'
import type { HolePunchFailure } from '../../errors.ts'
import type { Endpoint } from '../../addresses/endpoint.ts'
import type { PunchRole } from '../events.ts'
import type { PunchBudget } from './punch-budget.ts'
import type { BoundAddress } from '../../transport/punch-port.ts'
import type { PunchTransport } from '../../transport/punch-transport.ts'
import type { Connection, Logger, MultiaddrConnection, PeerId, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * How long both sides keep dialling, in milliseconds. Covers the retransmission of a lost SYN after 1 s and 3 s
 * (RFC 6298 section 2.1 and 5.5), and is go-libp2p's connect time-out (`defaultConnectTimeout`).
 */
export const PUNCH_WINDOW_MS = 5_000

/** A remote that is connected and proposes nothing for so long waits for a proposal, in milliseconds: some slow round trips. */
const SILENCE_MS = 2_000

/** A connection beside the chosen one is closed when it has not been used for so long, in milliseconds: the responder may have chosen it. */
const DUPLICATE_UNUSED_MS = 30_000

// Inbound sockets that one punch takes; the rest are nobody's. The remote makes at most one per candidate of ours.
const MAX_CLAIMED = 8

/** What one punch needs. */
export interface PunchInit {
  transport: PunchTransport
  upgrader: Upgrader
  remotePeer: PeerId
  /** The circuit that the punch replaces. */
  circuit: Connection
  candidates: readonly Multiaddr[]
  role: PunchRole
  /** The encryptions that the remote takes on a socket without negotiation. @default none */
  remoteSpeaks?: readonly string[]
  /** Takes the other role in the handshake, for a remote that deals them the other way round. */
  swapsRoles?: boolean
  /** Called when the punch fails though a remote was connected, which proposed nothing: it may be waiting for a proposal. */
  onSilence?: () => void
  /** Takes the listener for connections that the remote has made to this node by itself. */
  onArrival?: (listener: (connection: Connection) => void) => void
  /** A punch leaves from the punch port; the reversal of a connection dials once, from an ephemeral one. */
  from: 'punch-port' | 'ephemeral-port'
  /** Ends the punch when no socket is connected after so long, in milliseconds. @default the whole window */
  connectTimeoutMs?: number
  /** True if both are behind one NAT: the remote may come from any private address. */
  sharesNat?: boolean
  /** The punch port to use instead of the listener's. */
  spare?: BoundAddress | undefined
  /** The paths of this node that do not carry data. */
  lossyPaths: LossyPaths
  /** What all punches of this node may dial. */
  budget: PunchBudget
  log: Logger
}

/**
 * Punches until a direct connection is proved.
 *
 * @throws {HolePunchFailedError} `refused`, `timed-out`, `throttled`, `wrong-peer`, `lossy-path` or `cannot-share-port`
 * @throws what `signal` was aborted with
 */
export async function punch(init: PunchInit, signal: AbortSignal): Promise<Connection> {
  return new Punch(init).run(signal)
}

class Punch {
  readonly #init: PunchInit
  readonly #over = new AbortController()
  readonly #sockets = new Set<MultiaddrConnection>()
  readonly #silent = new Set<MultiaddrConnection>()
  readonly #unproved = new Set<Connection>()
  readonly #result = Promise.withResolvers<Connection>()
  readonly #dials = new Map<string, number>()
  #connectTimer: NodeJS.Timeout | undefined
  #claimed = 0
  #isThrottled = false
  #failure: HolePunchFailure = 'timed-out'

  constructor(init: PunchInit) {
    this.#init = init
  }

  async run(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted()
    const { transport, candidates, connectTimeoutMs = PUNCH_WINDOW_MS } = this.#init
    const onAbort = (): void => this.#result.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const window = awakeTimeout(PUNCH_WINDOW_MS)
    const onWindowEnd = (): void => void this.#fail()
    window.addEventListener('abort', onWindowEnd, { once: true })
    this.#connectTimer = setTimeout(() => void this.#fail(), connectTimeoutMs)
    this.#init.onArrival?.(connection => void this.#adopt(connection))
    const withdraw = this.#isPunch ? transport.inboundClaims.add(this.#claim()) : undefined
    void Promise.all(candidates.map(async candidate => this.#dialUntilOver(candidate))).then(() => {
      if (this.#sockets.size === 0 && !this.#isPunch) void this.#fail()
    })
    try {
      return await this.#result.promise
    } finally {
      window.removeEventListener('abort', onWindowEnd)
      clearTimeout(this.#connectTimer)
      signal.removeEventListener('abort', onAbort)
      withdraw?.()
      this.#over.abort()
      if (this.#isClient) this.#resetRest()
    }
  }

  get #isClient(): boolean {
    const { role, swapsRoles = false } = this.#init
    return (role === 'initiator') !== swapsRoles
  }

  get #isPunch(): boolean {
    return this.#init.from === 'punch-port'
  }

  async #fail(): Promise<void> {
    await Promise.all([...this.#unproved].map(async connection => this.#giveUp(connection)))
    const isUnclear = this.#failure === 'timed-out' || this.#failure === 'refused'
    const reason = this.#isThrottled && isUnclear ? 'throttled' : this.#failure
    this.#result.reject(new HolePunchFailedError(reason, this.#init.remotePeer.toString()))
    if (this.#silent.size > 0) this.#init.onSilence?.()
    this.#resetRest()
  }

  /** The handshake is done, and full packets do not get through. */
  async #giveUp(connection: Connection): Promise<void> {
    const { lossyPaths, circuit } = this.#init
    this.#unproved.delete(connection)
    this.#failure = 'lossy-path'
    connection.abort(new Error('the direct path loses large packets'))
    await noteLoss(connection, lossyPaths, [circuit])
  }

  /** Resets what is still in its handshake, so that the responder cannot have chosen it. */
  #resetRest(): void {
    for (const socket of this.#sockets) socket.abort(new Error('another connection of this punch was chosen'))
    this.#sockets.clear()
  }

  async #dialUntilOver(candidate: Multiaddr): Promise<void> {
    const startedAt = performance.now()
    const { host } = endpointOf(candidate)
    const maxDials = scopeOf(host) === 'private' ? MAX_PRIVATE_DIALS : MAX_DIALS
    let n = 0
    const redialDelay = (): number => redialDelayMs(n, performance.now() - startedAt)
    while (n < maxDials && !this.#over.signal.aborted) {
      const waitMs = this.#init.budget.takeDial(host)
      if (waitMs > 0) {
        this.#isThrottled = true
        await this.#pause(waitMs)
        continue
      }
      this.#dials.set(candidate.toString(), ++n)
      const retryAfterMs = await this.#dial(candidate, redialDelay)
      if (retryAfterMs === undefined || !this.#isPunch) return
      await this.#pause(retryAfterMs)
    }
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await pause(ms, undefined, { signal: this.#over.signal }).catch(() => {})
  }

  /** One dial, its upgrade included. Returns how long to wait before the next, or undefined when there is no point. */
  async #dial(candidate: Multiaddr, redialDelay: () => number): Promise<number | undefined> {
    const { log } = this.#init
    try {
      await this.#upgrade(await this.#connect(candidate))
      return this.#failure === 'wrong-peer' ? undefined : redialDelay()
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException
      log.trace('dial to %a ended with %s', candidate, code ?? name)
      if (name === 'PunchPortError') this.#failure = 'cannot-share-port'
      else if (code === 'ECONNREFUSED' || code === 'ECONNRESET') {
        if (this.#failure === 'timed-out') this.#failure = 'refused'
        return redialDelay()
      } else if (code === 'EADDRNOTAVAIL') return jitter(100, 200) // the last dial's 4-tuple is not free yet
      return undefined
    }
  }

  async #connect(candidate: Multiaddr): Promise<MultiaddrConnection> {
    const { transport, spare, budget } = this.#init
    const { signal } = this.#over
    const { host } = endpointOf(candidate)
    const startedAt = performance.now()
    try {
      return this.#isPunch
        ? await transport.connectFromPunchPort(candidate, { signal, spare })
        : await transport.connect(candidate, { signal })
    } catch (error) {
      // nothing has been sent
      if ((error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL') budget.refundDials(host, 1)
      throw error
    } finally {
      budget.chargeRepetitions(host, performance.now() - startedAt)
    }
  }

  #claim(): Parameters<PunchTransport['inboundClaims']['add']>[0] {
    const { candidates, sharesNat = false } = this.#init
    const endpoints = candidates.map(endpointOf)
    const isWaiting = (): boolean => this.#claimed < MAX_CLAIMED
    const isNamed = (host: string): boolean => endpoints.some(it => it.host === host)
    return {
      matchesEndpoint: (host, port) =>
        isWaiting() && endpoints.some(it => it.host === host && it.port === port),
      matchesHost: host => isWaiting() && (isNamed(host) || (sharesNat && scopeOf(host) === 'private')),
      take: async socket => {
        this.#claimed++
        return this.#upgrade(socket)
      },
    }
  }

  /**
   * Upgrades a connected socket and proves it; the first to get through wins. Never throws. Resolves with whether the
   * remote peer was at the other end; undefined if the punch was over before.
   */
  async #upgrade(socket: MultiaddrConnection): Promise<boolean | undefined> {
    const { upgrader, remotePeer, log } = this.#init
    this.#sockets.add(socket)
    clearTimeout(this.#connectTimer)
    const signal = awakeTimeout(PUNCH_WINDOW_MS)
    const connectedAt = performance.now()
    // what is silent inside a private network is nobody's to know
    if (scopeOf(endpointOf(socket.remoteAddr).host) === 'public') this.#silent.add(socket)
    onProposal(socket, () => this.#silent.delete(socket))
    let isRemotes = false
    try {
      const initiator = this.#isClient
      const pinned = pin(socket, remotePeer, initiator)
      const encryptions = agreeSilently(pinned, upgrader, this.#init)
      const optimistic = optimisticUpgrader(upgrader, encryptions)
      const connection = await optimistic.upgradeOutbound(pinned, { signal, initiator })
      isRemotes = true
      this.#sockets.delete(socket)
      await this.#prove(connection, signal)
      this.#refund(endpointOf(socket.remoteAddr))
      this.#result.resolve(connection)
      if (initiator) await this.#retireUnlessChosen(connection)
    } catch (error) {
      if (isWrongPeer(error)) this.#failure = 'wrong-peer'
      log('upgrade of %a failed - %e', socket.remoteAddr, error)
      this.#sockets.delete(socket)
      // the remote's window may have closed first; one that is gone at once was not waiting
      if (performance.now() - connectedAt < SILENCE_MS) this.#silent.delete(socket)
      socket.abort(error as Error)
    }
    return isRemotes || !this.#over.signal.aborted ? isRemotes : undefined
  }

  /** Chooses a connection that the remote has made without this punch, if it carries data. */
  async #adopt(connection: Connection): Promise<void> {
    const { host, port } = endpointOf(connection.remoteAddr)
    const isOwn = [...this.#sockets].some(({ remoteAddr }) => {
      const own = endpointOf(remoteAddr)
      return own.host === host && own.port === port
    })
    if (isOwn || this.#over.signal.aborted) return
    try {
      await proveConnection(connection, { signal: this.#over.signal })
      this.#result.resolve(connection)
    } catch (error) {
      this.#init.log('a connection of %p did not prove itself - %e', connection.remotePeer, error)
    }
  }

  async #prove(connection: Connection, signal: AbortSignal): Promise<void> {
    this.#unproved.add(connection)
    try {
      await proveConnection(connection, { signal })
    } catch (error) {
      // unless this side gave it up, the other side has ended it
      const isEnded = this.#unproved.has(connection) && connection.status !== 'open'
      const { lossyPaths, remotePeer } = this.#init
      if (isEnded && losesFullPackets(connection)) await this.#giveUp(connection)
      else if (isEnded) lossyPaths.note(remotePeer, connection.remoteAddr, 'reset')
      throw error
    } finally {
      this.#unproved.delete(connection)
    }
  }

  /** Throws what the punch has failed with, if it has: then nobody waits for this connection. */
  async #retireUnlessChosen(connection: Connection): Promise<void> {
    const chosen = await this.#result.promise
    if (chosen !== connection)
      void new CloseWhenIdle(connection, chosen, this.#init.log, DUPLICATE_UNUSED_MS).run()
  }

  /** The remote has answered at this endpoint itself: dialling it was no burden to anyone else. */
  #refund({ host, port }: Endpoint): void {
    for (const candidate of this.#init.candidates) {
      const endpoint = endpointOf(candidate)
      const dials = this.#dials.get(candidate.toString()) ?? 0
      if (endpoint.host === host && endpoint.port === port) this.#init.budget.refundDials(host, dials)
    }
  }
}
