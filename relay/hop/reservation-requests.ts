/**
 * RESERVE requests: a peer asks to be reachable through this relay.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { isPrivate } from '@libp2p/utils'
import { decide } from '../admission/admission.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import { isCircuit } from '../../src/addresses/circuit.ts'
import { isDirect, markReserved } from '../../src/addresses/direct.ts'
import { fitting, usefulFirst } from '../../src/addresses/ranking.ts'
import { limitMessageOf } from './limit-message.ts'
import { HopMessage, HopType, MAX_MESSAGE_BYTES, Status } from '../../src/protocols/circuit-relay/messages.ts'
import { sealVoucher } from '../../src/protocols/circuit-relay/voucher.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ReservationRefusal } from '../events.ts'
import type { HopContext, HopRequest } from './request.ts'
import type { Reservation } from './reservations.ts'

/** What addresses add to the answer beside their bytes: tag and length of each, and more bytes for the length of the reservation around them. */
const ADDR_OVERHEAD_BYTES = 3
const RESERVATION_OVERHEAD_BYTES = 2

const statuses: Readonly<Record<ReservationRefusal, number>> = {
  full: Status.RESERVATION_REFUSED,
  'full-for-address': Status.RESERVATION_REFUSED,
  'too-often': Status.RESERVATION_REFUSED,
  draining: Status.RESERVATION_REFUSED,
  denied: Status.PERMISSION_DENIED,
  'over-circuit': Status.PERMISSION_DENIED,
}

/** Answers requests for reservations. */
export class ReservationRequests {
  readonly #context: HopContext
  readonly #rates: RequestRates

  constructor(context: HopContext) {
    this.#context = context
    this.#rates = new RequestRates(context.limits.reservationsPerSecondPerIp)
  }

  async handle(request: HopRequest): Promise<void> {
    const { connection, signal } = request
    const { reservations, events, admission } = this.#context
    const { remotePeer: peerId, remoteAddr } = connection
    if (!isDirect(connection)) return await this.#refuse(request, 'over-circuit')
    if (this.#context.isDraining) return await this.#refuse(request, 'draining')
    if (!this.#rates.allow(remoteAddr)) return await this.#refuse(request, 'too-often')
    const verdict = await decide(() => admission.mayReserve({ peerId, remoteAddr, connection }, { signal }))
    if (verdict !== undefined) return await this.#refuse(request, 'denied', verdict.deniedBy)
    // closing a connection ends its reservation, and a connection that is closed already does not close again
    if (connection.status !== 'open') return
    const outcome = reservations.reserve(peerId, remoteAddr)
    if ('refusal' in outcome) return await this.#refuse(request, outcome.refusal)
    markReserved(connection)
    const { isRefresh } = outcome
    const { expiresAt, remainingMs } = outcome.granted
    events.safeDispatchEvent('reservation:granted', {
      detail: { peerId, remoteAddr, expiresAt: new Date(expiresAt), isRefresh },
    })
    try {
      await this.#grant(request, { expiresAt, remainingMs })
    } catch (error) {
      // a peer that got no answer has no reservation; a peer that refreshes still knows its previous one
      if (!isRefresh) reservations.end(peerId, 'disconnected')
      throw error
    }
  }

  async #grant(
    { connection, answer }: HopRequest,
    granted: Pick<Reservation, 'expiresAt' | 'remainingMs'>,
  ): Promise<void> {
    const { peerId: relay, privateKey } = this.#context.components
    const expire = Math.floor(granted.expiresAt / 1000)
    const voucher = await sealVoucher({
      relay,
      peer: connection.remotePeer,
      expiresAt: expire,
      privateKey,
    })
    const limit = limitMessageOf(this.#context.limits)
    const remainingMs = Math.floor(granted.remainingMs)
    const message: Parameters<typeof answer>[0] = {
      status: Status.OK,
      reservation: { expire, voucher, remainingMs },
      ...(limit === undefined ? {} : { limit }),
    }
    const bytes = HopMessage.encode({ ...message, type: HopType.STATUS }).byteLength
    const room = MAX_MESSAGE_BYTES - RESERVATION_OVERHEAD_BYTES - bytes
    const addrs = fitting(this.#addresses(), room, addr => addr.bytes.byteLength + ADDR_OVERHEAD_BYTES)
    await answer({
      ...message,
      reservation: { ...message.reservation, addrs: addrs.map(addr => addr.bytes) },
    })
  }

  /**
   * The addresses at which peers reach this relay: public and announced ones, or the private ones if there
   * are no others.
   */
  #addresses(): Multiaddr[] {
    const { addressManager } = this.#context.components
    const addrs = addressManager.getAddresses().filter(addr => !isCircuit(addr))
    const reachable = addrs.filter(addr => !isPrivate(addr))
    return usefulFirst(reachable.length > 0 ? reachable : addrs)
  }

  async #refuse(request: HopRequest, reason: ReservationRefusal, rule?: string): Promise<void> {
    const { remotePeer: peerId, remoteAddr } = request.connection
    const detail = { peerId, remoteAddr, reason, ...(rule === undefined ? {} : { rule }) }
    this.#context.events.safeDispatchEvent('reservation:refused', { detail })
    await request.answer({ status: statuses[reason] })
  }
}
