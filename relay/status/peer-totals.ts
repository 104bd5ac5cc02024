/**
 * Totals per peer, which show who uses the relay most. Memory is bounded: the least recently active peers are
 * dropped.
 */

import QuickLRU from 'quick-lru'
import type { PeerId } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { CircuitClosed, RelayEvents } from '../events.ts'

/**
 * Peers that are remembered: at least so many of those that did something last, and at most twice as many. A relay meets
 * more in a year than it has memory for.
 */
const MAX_PEERS = 10_000

/** The sums of one peer since it was first remembered. */
export interface PeerTotals {
  readonly peerId: string
  /** Reservations granted and refreshed. */
  reservations: number
  /** Circuits that began or ended at the peer, and have ended. */
  circuits: number
  /** Reservations and circuits that the relay refused to the peer. */
  refusals: number
  /** Bytes from the peer. */
  bytesIn: number
  /** Bytes to the peer. */
  bytesOut: number
}

/** The totals of the peers of one relay, counted from its events. */
export class PeersTotals {
  readonly #totals = new QuickLRU<string, PeerTotals>({ maxSize: MAX_PEERS })

  constructor(relay: Pick<TypedEventTarget<RelayEvents>, 'addEventListener'>) {
    relay.addEventListener('reservation:granted', ({ detail }) => this.#of(detail.peerId).reservations++)
    relay.addEventListener('reservation:refused', ({ detail }) => this.#of(detail.peerId).refusals++)
    relay.addEventListener('circuit:refused', ({ detail }) => this.#of(detail.initiator).refusals++)
    relay.addEventListener('circuit:closed', ({ detail }) => this.#addCircuit(detail))
  }

  /** The `count` peers whose circuits carried most, in descending order. */
  top(count: number): PeerTotals[] {
    const bytesOf = ({ bytesIn, bytesOut }: PeerTotals): number => bytesIn + bytesOut
    return [...this.#totals.values()].toSorted((one, other) => bytesOf(other) - bytesOf(one)).slice(0, count)
  }

  #addCircuit({ initiator, responder, bytesToResponder, bytesToInitiator }: CircuitClosed): void {
    const [from, to] = [this.#of(initiator), this.#of(responder)]
    from.circuits++
    from.bytesIn += bytesToResponder
    from.bytesOut += bytesToInitiator
    if (from !== to) to.circuits++
    to.bytesIn += bytesToInitiator
    to.bytesOut += bytesToResponder
  }

  #of(peer: PeerId): PeerTotals {
    const peerId = peer.toString()
    const known = this.#totals.get(peerId)
    if (known !== undefined) return known
    const totals = { peerId, reservations: 0, circuits: 0, refusals: 0, bytesIn: 0, bytesOut: 0 }
    this.#totals.set(peerId, totals)
    return totals
  }
}
