/**
 * Admission: which peers may use a relay.
 *
 * Holding a reservation and asking for a circuit to a given peer are separate questions. An answer that fails
 * denies.
 */

import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A peer that asks for a reservation or a circuit. */
export interface Visitor {
  readonly peerId: PeerId
  /** The address that its connection comes from. */
  readonly remoteAddr: Multiaddr
  /**
   * The connection that it asks over. A token that was shown over this connection counts for this connection
   * only.
   */
  readonly connection: Connection
}

/** `undefined` allows. Otherwise the rule that denies, as text for the operator. The peer does not see it. */
export type Verdict = { readonly deniedBy: string } | undefined

/** Answers the questions of the relay. A method that throws or rejects denies. */
export interface Admission {
  /**
   * The relay calls this when its node starts. Register protocols here by which peers prove that they are
   * admitted.
   */
  serve?(registrar: Pick<Registrar, 'handle'>): Promise<void>
  /** May this peer hold a reservation? `signal` fires when the request ends. */
  mayReserve(visitor: Visitor, options: AbortOptions): Verdict | Promise<Verdict>
  /** May this peer open a circuit to `target`? `signal` fires when the request ends. */
  mayConnect(visitor: Visitor, target: PeerId, options: AbortOptions): Verdict | Promise<Verdict>
  /** Does a rule name this peer, or has it proved that it is admitted? Such peers get the circuits of others when there are too many. @default no */
  isNamed?(visitor: Visitor): boolean
}

/** Asks one question. Never rejects: an error while answering denies. */
export async function decide(question: () => Verdict | Promise<Verdict>): Promise<Verdict> {
  try {
    return await question()
  } catch (error) {
    return { deniedBy: `the check failed: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Allows every peer everything, within the limits of the relay. */
export const openAdmission: Admission = {
  mayReserve: () => undefined,
  mayConnect: () => undefined,
}
