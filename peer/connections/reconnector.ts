/**
 * A remote peer that the application has connected to, and that is kept connected until it says otherwise: a path that is lost is made again, and a
 * path that stays relayed is tried to punch again, when something has changed and with growing pauses otherwise.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { raceSignal } from 'race-signal'
import { CloseWhenIdle } from '../../src/holepunch/paths/close-when-idle.ts'
import { isFinal } from '../../src/holepunch/failures.ts'
import { Backoff } from '../../src/time/backoff.ts'
import type { AbortOptions, Connection, Logger, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HolePunchFailure } from '../../src/errors.ts'
import type { Dialer } from './dialer.ts'
import type { Paths } from './paths.ts'
import type { Target } from './target.ts'

/** How long a lost path is sought, in milliseconds; afterwards it takes a stream to begin again. */
const SEEK_FOR_MS = 10 * 60_000

/** A path that was made again and lost sooner than this, in milliseconds, was none: the pauses go on growing. */
const PROVEN_AFTER_MS = 10_000

/** The pauses between punches of one peer, in milliseconds: from one and a half windows to what NATs take to be replaced. */
const PUNCH_AGAIN = { firstMs: 30_000, longestMs: 15 * 60_000 } as const

/** The least time between two punches of one peer in milliseconds, whatever changes. */
const PUNCH_GAP_MS = 5_000

/** Addresses that one peer is looked for at, those given last first. */
const MAX_ADDRS = 8

/** What a kept peer works with. */
export interface ReconnectorContext {
  paths: Paths
  dialer: Dialer
  log: Logger
}

/** A dial in flight, and how many wait for it. */
interface Dialling {
  outcome: Promise<Connection>
  cancel: AbortController
  waiting: number
}

/** One remote peer. */
export class Reconnector {
  readonly peerId: PeerId
  readonly #context: ReconnectorContext
  readonly #closed = new AbortController()
  readonly #backoff = new Backoff()
  #restoredAt = -Infinity
  #addrs: readonly Multiaddr[] = []
  #dialling: Dialling | undefined
  #changed = new AbortController()
  #isSeeking = false
  #isPunchingAgain = false

  constructor(peerId: PeerId, context: ReconnectorContext) {
    this.peerId = peerId
    this.#context = context
  }

  /** Looks for the peer at these addresses, too. */
  learn(addrs: readonly Multiaddr[]): void {
    const others = this.#addrs.filter(it => !addrs.some(addr => addr.equals(it)))
    this.#addrs = [...addrs, ...others].slice(0, MAX_ADDRS)
  }

  /**
   * Resolves when there is a path.
   *
   * @throws {AggregateError} with what each way failed with
   * @throws the reason of `signal`
   */
  async connect({ signal }: AbortOptions = {}): Promise<void> {
    if (this.#context.paths.to(this.peerId) !== undefined) return
    const dialling = (this.#dialling ??= this.#dial())
    dialling.waiting++
    try {
      await raceSignal(dialling.outcome, signal)
    } catch (error) {
      // nobody waits any more: the next caller dials anew, and does not join a dial that is cancelled
      if (--dialling.waiting === 0) {
        if (this.#dialling === dialling) this.#dialling = undefined
        dialling.cancel.abort(error)
      }
      throw error
    }
  }

  /** The last path was lost: makes another. */
  async restore(): Promise<void> {
    if (this.#isSeeking) return
    this.#isSeeking = true
    const startedAt = performance.now()
    // whoever ends each path at once could have us dial without end
    if (startedAt - this.#restoredAt < PROVEN_AFTER_MS) await this.#pause(this.#backoff.next())
    else this.#backoff.reset()
    while (this.#isLost && performance.now() - startedAt < SEEK_FOR_MS) {
      try {
        await this.connect({ signal: this.#closed.signal })
        this.#restoredAt = performance.now()
      } catch (error) {
        this.#context.log('the way to %p is still lost - %e', this.peerId, error)
        await this.#pause(this.#backoff.next())
      }
    }
    this.#isSeeking = false
  }

  /** A punch has failed: another one follows, over a new circuit, which replaces the old one. */
  async punchAgain(reason: HolePunchFailure): Promise<void> {
    if (isFinal(reason) || this.#isPunchingAgain) return
    this.#isPunchingAgain = true
    for (
      let pauseMs: number = PUNCH_AGAIN.firstMs;
      this.#isRelayed;
      pauseMs = Math.min(pauseMs * 2, PUNCH_AGAIN.longestMs)
    ) {
      await pause(PUNCH_GAP_MS, undefined, { signal: this.#closed.signal, ref: false }).catch(() => {})
      await this.#pause(pauseMs * (0.5 + Math.random() / 2) - PUNCH_GAP_MS)
      // an upgrade that goes on would lose its circuit
      if (this.#isRelayed && !this.#context.paths.isUpgrading(this.peerId)) await this.#replaceCircuit()
    }
    this.#isPunchingAgain = false
  }

  /** The direct path was lost, and there is a circuit: it worked before, so it is tried without a pause. */
  punchSoon(): void {
    void this.punchAgain('timed-out')
    this.wake()
  }

  /** The network, or what others see of it, is another: what failed before may work now. */
  wake(): void {
    this.#changed.abort()
  }

  /** Whether a path is being made that somebody waits for. */
  get isDialling(): boolean {
    return this.#dialling !== undefined
  }

  /** Nothing is kept any more. */
  close(): void {
    this.#closed.abort(new Error('the connection was closed'))
  }

  get #isLost(): boolean {
    return !this.#closed.signal.aborted && this.#context.paths.to(this.peerId) === undefined
  }

  get #isRelayed(): boolean {
    return !this.#closed.signal.aborted && this.#context.paths.to(this.peerId)?.path === 'relayed'
  }

  /** Where the peer is looked for. */
  get target(): Target {
    return { peerId: this.peerId, addrs: [...this.#addrs] }
  }

  #dial(): Dialling {
    const cancel = new AbortController()
    const signal = AbortSignal.any([cancel.signal, this.#closed.signal])
    const outcome = this.#context.dialer.connect(this.target, { signal })
    const forget = (): void => {
      if (this.#dialling?.outcome === outcome) this.#dialling = undefined
    }
    outcome.then(forget, forget)
    return { outcome, cancel, waiting: 0 }
  }

  async #replaceCircuit(): Promise<void> {
    const { paths, dialer, log } = this.#context
    const circuits = paths.circuitsTo(this.peerId)
    try {
      const circuit = await dialer.connectOverRelay(this.target, { signal: this.#closed.signal })
      for (const old of circuits) void new CloseWhenIdle(old, circuit, log).run()
    } catch (error) {
      log('no other circuit to punch over to %p - %e', this.peerId, error)
    }
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#closed.signal, this.#changed.signal])
    await pause(Math.max(ms, 0), undefined, { signal, ref: false }).catch(() => {})
    if (this.#changed.signal.aborted) this.#changed = new AbortController()
  }
}
