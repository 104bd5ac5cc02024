/**
 * The early offer: the initiator sends the addresses of its CONNECT in the first flight over a new circuit. The
 * responder then needs no answer to its own CONNECT, and sends SYNC one round trip earlier.
 *
 * It has a protocol of its own, because some implementations answer an exchange that the initiator opens. Others refuse
 * the protocol, and the exchange goes on as usual. The messages of the exchange are the same, only sooner.
 */

import { roundTripOf } from './circuit-round-trip.ts'
import { converse, DCUTR_PROTOCOL, Type } from './exchange.ts'
import { openOptimisticStream } from '../protocols/optimistic-stream.ts'
import type { Connection, Logger, Stream } from '@libp2p/interface'
import type { LocalAddresses } from './candidates.ts'
import type { KnownOffer, RemoteOffer } from './exchange.ts'
import type { Plans } from './plans.ts'
import type { UpgradeContext } from './upgrade-context.ts'

/** One CONNECT message of DCUtR, from the initiator to the responder, which then closes the stream. */
export const EARLY_OFFER_PROTOCOL = `/throughnat${DCUTR_PROTOCOL}/offer/1`

/** What the early offer of one upgrade needs. */
export interface EarlyOfferInit
  extends Pick<UpgradeContext, 'observed' | 'localAddresses' | 'exchangeTimeoutMs'> {
  circuit: Connection
  plans: Plans
  /** Fires when the upgrade is over. */
  signal: AbortSignal
  log: Logger
}

/** The early offer of one upgrade: the initiator sends it, and the responder receives it. */
export class EarlyOffer {
  readonly #init: EarlyOfferInit
  readonly #received = Promise.withResolvers<RemoteOffer>()
  #rttMs: number | undefined

  constructor(init: EarlyOfferInit) {
    this.#init = init
    // of the responder; later messages are no part of the handshake
    this.#rttMs = roundTripOf(init.circuit)
  }

  /** Round trip over the circuit, in milliseconds; undefined where it has not been measured. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /** Sends the offer of the initiator. Never throws: the exchange asks for the addresses anyway. */
  async send(): Promise<void> {
    const { circuit, plans, signal, log, observed, localAddresses } = this.#init
    try {
      await observed(signal)
      const offer = plans.earlyOffer(localAddresses())
      if (offer === undefined || signal.aborted) return
      const stream = await openOptimisticStream(circuit, EARLY_OFFER_PROTOCOL)
      const ended = endOf(stream)
      this.#rttMs = await converse(stream, this.#bounds, { signal }, async messages => {
        const sentAt = performance.now()
        await messages.send(Type.CONNECT, offer)
        // multistream-select of js-libp2p refuses a stream whose other end is closed before the negotiation
        await ended
        return performance.now() - sentAt
      })
    } catch (error) {
      log('no early offer - %e', error)
    }
  }

  /** Receives the offer as the responder, and closes the stream. Never throws: the exchange asks for the addresses anyway. */
  async receive(stream: Stream): Promise<void> {
    const { signal, log } = this.#init
    try {
      const offer = await converse(stream, this.#bounds, { signal }, async messages =>
        messages.receive(Type.CONNECT),
      )
      this.#received.resolve(offer)
    } catch (error) {
      log('the early offer cannot be used - %e', error)
    }
  }

  get #bounds(): { timeoutMs: number } {
    return { timeoutMs: this.#init.exchangeTimeoutMs }
  }

  /** Resolves when the responder knows all that it needs for the SYNC; never, if the exchange itself has to tell. */
  async known(local: LocalAddresses): Promise<KnownOffer> {
    const offer = await this.#received.promise
    const rttMs = this.#rttMs
    if (rttMs === undefined || !this.#init.plans.isComplete(local, offer)) return new Promise(() => {})
    return { offer, rttMs }
  }
}

/** Resolves when the remote has closed its end of a stream, or the stream was reset. */
async function endOf(stream: Stream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.addEventListener('remoteCloseWrite', () => resolve(), { once: true })
  stream.addEventListener('close', () => resolve(), { once: true })
  return promise
}
