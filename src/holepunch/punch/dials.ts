/**
 * The dials of one upgrade: punches, and plain dials of addresses that need no punch.
 *
 * A plain dial goes from one side to the other, once for each address, and from an ephemeral port. DCUtR.md calls it
 * "the unilateral connection upgrade": the responder tries the initiator's public addresses before it has both sides
 * punch. go-libp2p does so, too (`directConnect` of p2p/protocol/holepunch/holepuncher.go).
 */

import { encryptionsOnSockets } from '../../encryption/choice.ts'
import { TLS_PROTOCOL } from '../../encryption/tls.ts'
import { choosePlan } from '../strategies/choose-plan.ts'
import { punch } from './punch.ts'
import { reversalCandidates } from '../strategies/reversal.ts'
import type { AcceptOptions, LocalAddresses } from '../candidates.ts'
import type { PunchInit } from './punch.ts'
import type { BoundAddress } from '../../transport/punch-port.ts'
import type { Plan } from '../strategies/strategy.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What all dials of one upgrade share. */
export interface DialsInit
  extends Pick<
    PunchInit,
    'transport' | 'upgrader' | 'budget' | 'lossyPaths' | 'remotePeer' | 'circuit' | 'log'
  > {
  /** Which of the remote's addresses may be dialled at all. */
  accept: AcceptOptions
}

/** A plain dial. */
export interface PlainDial {
  /** The addresses that the remote listed. Those that may not be dialled from here are left out. */
  listed: readonly Multiaddr[]
  local: LocalAddresses
  signal: AbortSignal
  /** Ends the dial when nothing is connected after so long, in milliseconds. @default the window of a punch */
  connectTimeoutMs?: number
}

/** The dials of one upgrade. */
export class Dials {
  readonly #init: DialsInit
  #underWay = 0
  #swapsRoles = false
  #remoteSpeaks: readonly string[] = []
  #onArrival: ((connection: Connection) => void) | undefined

  constructor(init: DialsInit) {
    this.#init = init
  }

  /** The encryptions that this node takes on a socket without negotiation. */
  get encryptions(): readonly string[] {
    return (encryptionsOnSockets(this.#init.upgrader) ?? []).filter(it => it === TLS_PROTOCOL)
  }

  /** Takes note of the encryptions that the remote has named. */
  remoteSpeaks(encryptions: readonly string[] = []): void {
    this.#remoteSpeaks = encryptions
  }

  /** True while this side dials. */
  get isUnderWay(): boolean {
    return this.#underWay > 0
  }

  /**
   * Carries out the plan of an exchange.
   *
   * go-libp2p before 0.41 deals the roles of the handshake the other way round: it waits for the responder to propose,
   * and both wait. Where the last attempt connected and heard no proposal, the responder's next one makes it.
   * (go-libp2p itself does so at its third attempt, whatever happened before.)
   *
   * @throws what `punch` throws
   */
  async punch(plan: Plan, spare: BoundAddress | undefined, signal: AbortSignal): Promise<Connection> {
    const swapsRoles = this.#swapsRoles
    this.#swapsRoles = false
    const onSilence = (): void => {
      this.#swapsRoles = plan.role === 'responder' && !swapsRoles
    }
    const onArrival = (listener: (connection: Connection) => void): void => {
      this.#onArrival = listener
    }
    return this.#counted(punch({ ...this.#shared, ...plan, spare, swapsRoles, onSilence, onArrival }, signal))
  }

  /** The remote has connected to this node's listener while a punch was under way, which may choose that connection. */
  arrived(connection: Connection): void {
    this.#onArrival?.(connection)
  }

  /** Resolves with the direct connection, or with undefined if there is no address to dial or none leads to the remote. */
  async plain({ listed, local, signal, ...bounds }: PlainDial): Promise<Connection | undefined> {
    const remote = reversalCandidates(listed, local, this.#init.accept)
    const plan = choosePlan({ source: 'identify', role: 'responder', local, remote })
    if (plan === undefined) return undefined
    try {
      return await this.#counted(punch({ ...this.#shared, ...plan, ...bounds }, signal))
    } catch (error) {
      this.#init.log('no plain dial led to %p - %e', this.#init.remotePeer, error)
      return undefined
    }
  }

  get #shared(): DialsInit & { remoteSpeaks: readonly string[] } {
    return { ...this.#init, remoteSpeaks: this.#remoteSpeaks }
  }

  async #counted(dial: Promise<Connection>): Promise<Connection> {
    this.#underWay++
    return dial.finally(() => this.#underWay--)
  }
}
