/**
 * Reservations and circuits of `@libp2p/circuit-relay-v2`'s server, told as events.
 *
 * The stock server reports neither circuits nor the end of reservations, and keeps the reservation of a peer that has
 * disconnected until it expires (https://github.com/libp2p/js-libp2p/issues/2833; circuit-v2.md: "if the peer
 * disconnects, the reservation is no longer valid"). The gater and a middleware on the stop protocol see enough.
 */

import { RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { ConnectionGater, Libp2p, PeerId, Stream, StreamMiddleware } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { CircuitClosed, CircuitOpened, RelayEvents } from './events.ts'

/** A node that runs the stock server as its service `relay`. */
type StockRelay = Libp2p<{ relay: CircuitRelayService }>

/** What the accounting has to know of the relay's limits. */
export interface AccountingInit {
  maxReservations: number
  reservationTtlMs: number
}

/** Watches one stock relay. */
export class Accounting {
  readonly #init: AccountingInit
  readonly #events: TypedEventTarget<RelayEvents>
  #reservations: CircuitRelayService['reservations'] | undefined
  // circuits that the server has admitted and not yet opened a stop stream for
  readonly #admitted: CircuitOpened[] = []

  constructor(events: TypedEventTarget<RelayEvents>, init: AccountingInit) {
    this.#events = events
    this.#init = init
  }

  /** To be given to the node: the server asks here before it grants a reservation and before it opens a circuit. */
  readonly gater: ConnectionGater = {
    denyInboundRelayReservation: (peerId: PeerId) => {
      const reservations = this.#reservations
      const isFull = reservations !== undefined && reservations.size >= this.#init.maxReservations
      if (isFull && !reservations.has(peerId))
        this.#events.safeDispatchEvent('reservation:refused', { detail: { peerId, reason: 'full' } })
      return false
    },
    denyOutboundRelayedConnection: (initiator: PeerId, responder: PeerId) => {
      this.#admitted.push({ initiator, responder })
      return false
    },
  }

  /** Starts to watch. */
  watch(libp2p: StockRelay): void {
    const { reservations } = libp2p.services.relay
    this.#reservations = reservations
    // each grant and each refresh ends with this; a middleware on the hop protocol would break it, since libp2p 3.3
    // adds the handler to the list of middlewares once more with every stream that comes in (connection.ts)
    const set = reservations.set.bind(reservations)
    reservations.set = (peerId, reservation) => {
      set(peerId, reservation)
      // the stock server does not move `reservation.expiry` when it refreshes
      const expiresAt = new Date(Date.now() + this.#init.reservationTtlMs)
      const detail = { peerId, remoteAddr: reservation.addr, expiresAt }
      this.#events.safeDispatchEvent('reservation:granted', { detail })
    }
    libp2p.addEventListener('peer:disconnect', ({ detail: peerId }) => {
      if (!reservations.has(peerId)) return
      reservations.delete(peerId)
      this.#events.safeDispatchEvent('reservation:ended', { detail: { peerId, reason: 'disconnected' } })
    })
    libp2p.use(RELAY_V2_STOP_CODEC, this.#countCircuit)
  }

  #countCircuit: StreamMiddleware = async (stream, connection, next) => {
    const index = this.#admitted.findIndex(it => it.responder.equals(connection.remotePeer))
    const [circuit] = index < 0 ? [] : this.#admitted.splice(index, 1)
    if (circuit !== undefined) this.#account(circuit, stream)
    next(stream, connection)
  }

  /** The stop stream carries the circuit: the responder's bytes come in on it, the initiator's go out. */
  #account(circuit: CircuitOpened, stream: Stream): void {
    let bytesToInitiator = 0
    let bytesToResponder = 0
    let openedAt: number | undefined
    const send = stream.send.bind(stream)
    stream.send = data => {
      bytesToResponder += data.byteLength
      return send(data)
    }
    // a 'message' listener would take data away from the server while it has none of its own
    const incoming = stream as Stream & { onData(data: { byteLength: number }): void }
    const onData = incoming.onData.bind(incoming)
    incoming.onData = data => {
      if (openedAt === undefined) {
        openedAt = performance.now()
        this.#events.safeDispatchEvent('circuit:opened', { detail: circuit })
      }
      bytesToInitiator += data.byteLength
      onData(data)
    }
    stream.addEventListener('close', ({ error }) => {
      if (openedAt === undefined) {
        const detail = { ...circuit, reason: 'connection-failed' as const }
        this.#events.safeDispatchEvent('circuit:refused', { detail })
        return
      }
      const reason: CircuitClosed['reason'] = error === undefined ? 'closed' : 'reset'
      const durationMs = performance.now() - openedAt
      const detail = { ...circuit, reason, bytesToResponder, bytesToInitiator, durationMs }
      this.#events.safeDispatchEvent('circuit:closed', { detail })
    })
  }
}
