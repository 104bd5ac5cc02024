/**
 * The upgrade of one circuit to a direct connection: attempts, one after the other, and their outcome.
 *
 * The responder drives: it opens each exchange. The initiator answers, and cannot know whether another attempt will
 * come, so it waits a while after a failed one. A failed upgrade never costs the circuit.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { CloseWhenIdle } from './paths/close-when-idle.ts'
import { Dials } from './punch/dials.ts'
import { HolePunchFailedError } from '../errors.ts'
import { EarlyOffer } from './early-offer.ts'
import { answerExchange, openExchange } from './exchange.ts'
import { isPrivate, isPublic, publicCandidates } from './candidates.ts'
import { isNotSupported, isHopeless, isWorthRetrying, needsReversal } from './failures.ts'
import { Patience } from './patience.ts'
import { PUNCH_WINDOW_MS } from './punch/punch.ts'
import { endpointOf } from '../addresses/endpoint.ts'
import { isOwnHost } from '../addresses/interfaces.ts'
import { Plans } from './plans.ts'
import { isSeenInside } from './strategies/reversal.ts'
import { withSpare } from './punch/spare-port.ts'
import type { HolePunchEvents, PunchRole } from './events.ts'
import type { SparePort } from './punch/spare-port.ts'
import type { UpgradeContext } from './upgrade-context.ts'
import type { LocalAddresses } from './candidates.ts'
import type { ExchangeInit, ExchangeResult } from './exchange.ts'
import type { Plan } from './strategies/strategy.ts'
import type { AbortOptions, Connection, Logger, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** DCUtR.md: "B SHOULD retry twice (thus a total of 3 attempts)". */
export const MAX_ATTEMPTS = 3

/** How long a reversal waits for the remote's addresses, in milliseconds: identify's timeout. */
const IDENTIFY_TIMEOUT_MS = 5_000

/** How long an initiator leaves it to the responder to dial, in milliseconds, so that there are not two connections. */
const RESPONDER_FIRST_MS = 500

/**
 * How long a direct connection may come after the end of its circuit, in milliseconds: a slow round trip. A stock js-libp2p responder that reverses the connection closes the
 * circuit when its own end is set up, and ours takes a part of a round trip more.
 */
const CLOSED_CIRCUIT_GRACE_MS = 1_000

/**
 * When to ask once more whoever does not speak DCUtR, in milliseconds: go-libp2p begins to when it has seen that it has a public address, and looks after 250 ms, 500 ms more, and so on
 * (`watchForPublicAddr` of p2p/protocol/holepunch/svc.go), so that a node which connects at once says that it does not.
 */
const LATE_DCUTR_MS = 1_000

/** Makes a plan with the remote: one of the two sides of the DCUtR exchange. */
type Exchange = (init: ExchangeInit<() => Plan>, options: AbortOptions) => Promise<ExchangeResult<() => Plan>>

/** One upgrade. `outcome` settles once: with the direct connection, or a `HolePunchFailedError`. */
export class Upgrade {
  readonly circuit: Connection
  readonly role: PunchRole
  readonly outcome: Promise<Connection>
  /** What the initiator offers before it is asked. */
  readonly early: EarlyOffer

  readonly #context: UpgradeContext
  readonly #log: Logger
  readonly #dials: Dials
  readonly #plans: Plans
  readonly #settle = Promise.withResolvers<Connection>()
  readonly #stopped = new AbortController()
  readonly #patience = new Patience(failure => this.#fail(failure))
  readonly #identified = Promise.withResolvers<readonly Multiaddr[]>()
  #current: AbortController | undefined
  #startedAt: number | undefined
  #attempts = 0
  #taken = 0
  #isLossy = false
  #exchanges = 0
  #listed: readonly Multiaddr[] = []

  constructor(circuit: Connection, context: UpgradeContext) {
    this.circuit = circuit
    this.role = circuit.direction === 'inbound' ? 'responder' : 'initiator'
    this.outcome = this.#settle.promise
    this.outcome.catch(() => {}) // a failure that nobody waits for is no unhandled rejection
    this.#context = context
    this.#log = context.logger.forComponent(`throughnat:holepunch:${this.role}`)
    const { remotePeer } = circuit
    const { role } = this
    this.#plans = new Plans({ ...context, circuit, role })
    const { accept } = this.#plans
    this.#dials = new Dials({ ...context, accept, circuit, remotePeer, log: this.#log })
    const { signal } = this.#stopped
    this.early = new EarlyOffer({ ...context, circuit, plans: this.#plans, signal, log: this.#log })
    circuit.addEventListener('close', () => this.#onCircuitClosed(), { once: true })
    if (this.role === 'initiator') this.#awaitExchange()
  }

  /** Resolves when `outcome` has settled. */
  get settled(): Promise<unknown> {
    return this.outcome.catch(() => {})
  }

  /** True while the upgrade may still succeed. */
  get isPending(): boolean {
    return !this.#stopped.signal.aborted
  }

  /** True while an attempt is under way. */
  get isPunching(): boolean {
    return this.#current !== undefined
  }

  /** True while this side dials. */
  get isDialling(): boolean {
    return this.#dials.isUnderWay
  }

  /** Gives up the attempt under way, if any, without counting it; the next one waits for its turn. */
  yield(): void {
    if (this.#current === undefined) return
    this.#attempts--
    this.#current.abort(new Error('a punch of the same peer goes first'))
  }

  /** Runs all attempts of the responder. Never throws; see `outcome`. */
  async respond(): Promise<void> {
    this.#begin()
    let failure = await this.#tryAll()
    if (needsReversal(failure) && (await this.#reverse())) return
    if (isNotSupported(failure) && this.isPending) {
      await pause(LATE_DCUTR_MS, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => {})
      failure = await this.#tryAll()
    }
    if (failure !== undefined) this.#fail(failure)
  }

  /** Resolves with why it stays relayed, or undefined when it does not. */
  async #tryAll(): Promise<unknown> {
    let failure: unknown = this.#error('stopped')
    while (this.#attempts < this.#context.maxAttempts && this.isPending) {
      try {
        await this.#attempt(openExchange)
        return undefined
      } catch (error) {
        failure = error
        if (!isWorthRetrying(error)) break
      }
    }
    return failure
  }

  /** Takes note of the addresses that the remote listed in identify. */
  identified(addrs: readonly Multiaddr[]): void {
    this.#listed = addrs
    this.#identified.resolve(addrs)
  }

  /** Takes part in an exchange that the responder has opened. Never throws; see `outcome`. */
  async answer(stream: Stream): Promise<void> {
    this.#begin()
    this.#patience.end()
    this.#current?.abort(new Error('the responder has begun another attempt'))
    const exchange = ++this.#exchanges
    try {
      await this.#attempt(async (init, options) => answerExchange(init, stream, options))
    } catch (error) {
      // the responder learns at once that this attempt has failed, and may begin another
      stream.abort(error as Error)
      if (exchange !== this.#exchanges) return
      const failure = this.#isLossy ? this.#error('lossy-path', { cause: error }) : error
      if (needsReversal(failure)) void this.#dialInside()
      // the responder may try again; after the last attempt it may dial this node's own addresses
      const more = needsReversal(failure) ? this.#context.maxAttempts : this.#context.maxAttempts - 1
      if (this.#attempts <= more && !isHopeless(failure)) this.#awaitExchange(failure)
      else this.#fail(failure)
    }
  }

  /** The remote has connected to this node's listener. A responder's punch may choose that connection: the roles are the same. */
  arrived(connection: Connection): void {
    if (this.role === 'responder') this.#dials.arrived(connection)
  }

  /** Ends the upgrade because a direct connection has come about in another way. */
  succeedWith(connection: Connection): void {
    this.#succeed(connection)
  }

  /** The remote has dialled this node, and full packets do not get through. No further attempt is awaited. */
  foundLossy(): void {
    this.#isLossy = true
    if (this.#exchanges > 0 && this.#patience.isRunning) this.#fail(this.#error('lossy-path'))
  }

  /** Ends the upgrade; `outcome` rejects with reason `stopped` if it was pending. */
  stop(): void {
    this.#fail(this.#error('stopped'))
  }

  /** One attempt: waits for its turn, makes a plan with the remote, and carries it out. */
  async #attempt(exchange: Exchange): Promise<void> {
    const endTurn = await this.#context.turns.take(this.circuit.remotePeer)
    if (!this.isPending) return endTurn()
    if (!this.#context.budget.takeAttempt(this.circuit.remotePeer)) {
      endTurn()
      throw this.#error('throttled')
    }
    this.#taken++
    const current = new AbortController()
    this.#current = current
    this.#attempts++
    const signal = AbortSignal.any([current.signal, this.#stopped.signal])
    let spare: SparePort | undefined
    try {
      await this.#context.observed(signal)
      if (this.role === 'responder' && this.#attempts > 1) spare = await this.#context.sparePort(signal)
      const local = withSpare(this.#context.localAddresses(), spare)
      const { plan: choose, confirmed, ...exchanged } = await exchange(this.#exchangeInit(local), { signal })
      // a SYNC that an early offer led to answers nothing
      const rttMs = Math.max(exchanged.rttMs, this.early.rttMs ?? 0)
      confirmed?.catch((error: unknown) => current.abort(error))
      const plan = choose()
      if (plan.strategy !== 'remote-dials') {
        this.#emit('holepunch:attempt', { n: this.#attempts, rttMs, candidates: plan.candidates })
        this.#succeed(await this.#dials.punch(plan, spare?.local, signal))
        return
      }
    } catch (error) {
      // an empty offer is sent all the same: the remote may know a way to itself
      const { reason } = error as Partial<HolePunchFailedError>
      const isBlind = publicCandidates(this.#context.localAddresses()).length === 0
      throw isBlind && reason === 'protocol' ? this.#error('no-local-candidates', { cause: error }) : error
    } finally {
      if (this.#current === current) this.#current = undefined
      endTurn()
      await spare?.close()
    }
    await this.#awaitRemoteDial()
  }

  /** @throws {HolePunchFailedError} `stopped` if a plain dial was enough */
  async #dialReachable(listed: readonly Multiaddr[], rttMs: number, signal: AbortSignal): Promise<void> {
    const dial = { listed, local: this.#context.localAddresses(), signal, connectTimeoutMs: rttMs }
    const direct = await this.#dials.plain(dial)
    if (direct === undefined) return
    this.#succeed(direct)
    throw this.#error('stopped')
  }

  #exchangeInit(local: LocalAddresses): ExchangeInit<() => Plan> {
    return {
      circuit: this.circuit,
      // of the first attempt: another one follows where its addresses did not help
      known: this.#attempts === 1 ? this.early.known(local) : undefined,
      timeoutMs: this.#context.exchangeTimeoutMs,
      offer: theirs => {
        if (theirs !== undefined) this.#dials.remoteSpeaks(theirs.encryptions)
        return { ...this.#plans.offer(local, theirs), encryptions: this.#dials.encryptions }
      },
      plan: theirs => this.#plans.choose(local, theirs, () => this.#listed),
      // the TCP handshake of a plain dial takes one round trip, which is rarely longer than that over the circuit
      beforeSync: async ({ reachable, encryptions }, rttMs, signal) => {
        this.#dials.remoteSpeaks(encryptions)
        await this.#dialReachable([...reachable, ...this.#listed].filter(isPublic), rttMs, signal)
      },
    }
  }

  /** Waits as long as a punch lasts; the service ends the upgrade when a direct connection has proved itself. */
  async #awaitRemoteDial(): Promise<never> {
    await pause(PUNCH_WINDOW_MS, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => {})
    throw this.#error('no-remote-candidates')
  }

  /** A responder that does not know this node dials nothing in a private network. This node, which has chosen the responder, may. */
  async #dialInside(): Promise<void> {
    await pause(RESPONDER_FIRST_MS, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => {})
    if (this.isPending) await this.#reverse(it => isPrivate(it) && !isOwnHost(endpointOf(it).host))
  }

  /** Dials the remote's own addresses, once each. Resolves with true if one led to a direct connection. */
  async #reverse(fits: (addr: Multiaddr) => boolean = () => true): Promise<boolean> {
    const timeout = pause(IDENTIFY_TIMEOUT_MS, [], { ref: false })
    const listed = (await Promise.race([this.#identified.promise, timeout])).filter(fits)
    if (!this.isPending) return false
    const local = this.#context.localAddresses()
    const direct = await this.#dials.plain({ listed, local, signal: this.#stopped.signal })
    if (direct !== undefined) this.#succeed(direct)
    // then the initiator dials
    else if (!this.#plans.isChosen && isSeenInside(local)) await this.#awaitRemoteDial().catch(() => {})
    return !this.isPending
  }

  #awaitExchange(failure: unknown = this.#error('not-supported')): void {
    if (this.isPending) this.#patience.begin(failure)
  }

  #onCircuitClosed(): void {
    if (!this.isPending) return
    const tooLate = setTimeout(() => this.#fail(this.#error('circuit-closed')), CLOSED_CIRCUIT_GRACE_MS)
    this.#stopped.signal.addEventListener('abort', () => clearTimeout(tooLate), { once: true })
  }

  #begin(): void {
    if (this.#startedAt !== undefined) return
    this.#startedAt = performance.now()
    this.#emit('holepunch:started', {})
  }

  #succeed(direct: Connection): void {
    if (!this.isPending) return
    this.#end()
    this.#context.budget.refundAttempts(this.circuit.remotePeer, this.#taken)
    this.#settle.resolve(direct)
    if (this.#startedAt !== undefined)
      this.#emit('holepunch:succeeded', { remoteAddr: direct.remoteAddr, elapsedMs: this.#elapsedMs() })
    void new CloseWhenIdle(this.circuit, direct, this.#log).run()
  }

  #fail(error: unknown): void {
    if (!this.isPending) return
    this.#begin()
    this.#end()
    const failure =
      error instanceof HolePunchFailedError ? error : this.#error('protocol', { cause: error as Error })
    this.#log('stays relayed - %e', failure)
    this.#settle.reject(failure)
    this.#emit('holepunch:failed', { reason: failure.reason, elapsedMs: this.#elapsedMs() })
  }

  #end(): void {
    this.#patience.end()
    this.#stopped.abort(this.#error('stopped'))
  }

  #elapsedMs(): number {
    return performance.now() - (this.#startedAt ?? performance.now())
  }

  #error(reason: HolePunchFailedError['reason'], options?: ErrorOptions): HolePunchFailedError {
    return new HolePunchFailedError(reason, this.circuit.remotePeer.toString(), options)
  }

  #emit(event: keyof HolePunchEvents, detail: object): void {
    this.#context.events.safeDispatchEvent(event, {
      detail: { peerId: this.circuit.remotePeer, role: this.role, ...detail },
    } as never)
  }
}
