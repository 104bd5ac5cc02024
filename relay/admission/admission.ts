/**
 * Who may use a relay. Who may hold a reservation, who may ask for a circuit, and to whom, are separate questions.
 */

import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A peer that asks for something. */
export interface Visitor {
  readonly peerId: PeerId
  /** Where its connection comes from. */
  readonly remoteAddr: Multiaddr
  /** The connection that it asks over; what it has shown of itself holds for that alone. */
  readonly connection: Connection
}

/** Nothing, or the rule that forbids it, in words for the operator; the peer is not told. */
export type Verdict = { readonly deniedBy: string } | undefined

/** Answers the questions. One that throws has denied. */
export interface Admission {
  /** Is called when the node starts, for protocols by which peers show what admits them. */
  serve?(registrar: Pick<Registrar, 'handle'>): Promise<void>
  /** May this peer hold a reservation? */
  mayReserve(visitor: Visitor, options: AbortOptions): Verdict | Promise<Verdict>
  /** May this peer ask for a circuit, and to that peer? */
  mayConnect(visitor: Visitor, target: PeerId, options: AbortOptions): Verdict | Promise<Verdict>
}

/** Asks one question; what goes wrong in answering it has denied. */
export async function decide(question: () => Verdict | Promise<Verdict>): Promise<Verdict> {
  try {
    return await question()
  } catch (error) {
    return { deniedBy: `the answer failed: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Lets everybody do everything that the limits allow. */
export const openAdmission: Admission = {
  mayReserve: () => undefined,
  mayConnect: () => undefined,
}
