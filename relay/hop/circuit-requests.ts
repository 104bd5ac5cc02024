/**
 * CONNECT requests: a peer asks for a circuit to another peer, which has a reservation.
 *
 * Invariant: every circuit has a slot from its request until it ends.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { pbStream } from '@libp2p/utils'
import * as Digest from 'multiformats/hashes/digest'
import { messageBounds } from '../../src/protocols/message-bounds.ts'
import { decide } from '../admission/admission.ts'
import { Circuit } from './circuit.ts'
import { CircuitSlots } from './circuit-slots.ts'
import { sharesOf } from '../../src/limits/ip-network.ts'
import { directConnectionTo, isDirect } from '../../src/addresses/direct.ts'
import { limitMessageOf } from './limit-message.ts'
import {
  MAX_MESSAGE_BYTES,
  Status,
  StopMessage,
  StopType,
} from '../../src/protocols/circuit-relay/messages.ts'
import { Rates } from './rates.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { CircuitOpened, CircuitRefusal } from '../events.ts'
import type { Admission } from '../admission/admission.ts'
import type { SlotHolder } from './circuit-slots.ts'
import type { HopContext, HopRequest } from './request.ts'

const statuses: Readonly<Record<CircuitRefusal, number>> = {
  'no-reservation': Status.NO_RESERVATION,
  'connection-failed': Status.CONNECTION_FAILED,
  'too-many': Status.RESOURCE_LIMIT_EXCEEDED,
  'too-many-for-peer': Status.RESOURCE_LIMIT_EXCEEDED,
  'too-many-for-pair': Status.RESOURCE_LIMIT_EXCEEDED,
  'too-often': Status.RESOURCE_LIMIT_EXCEEDED,
  draining: Status.RESOURCE_LIMIT_EXCEEDED,
  denied: Status.PERMISSION_DENIED,
  'over-circuit': Status.PERMISSION_DENIED,
}

/** Bytes that circuits have carried, by direction. */
export interface BytesTransferred {
  /** From initiators to responders. */
  readonly toResponder: number
  /** From responders to initiators. */
  readonly toInitiator: number
}

/** A circuit that has a slot and is being opened. */
interface Opening {
  readonly ends: CircuitOpened
  /** The connection to the responder. */
  readonly connection: Connection
  readonly slot: () => void
  readonly holder: Holder
}

/** Answers requests for circuits, and owns the open circuits. */
export class CircuitRequests {
  readonly #context: HopContext
  readonly #slots: CircuitSlots
  readonly #rates: Rates
  readonly #requestRates: RequestRates
  readonly #circuits = new Set<Circuit>()
  /** Bytes of circuits that have ended. */
  readonly #bytes = { toResponder: 0, toInitiator: 0 }

  constructor(context: HopContext) {
    this.#context = context
    this.#slots = new CircuitSlots(context.limits)
    this.#rates = new Rates(context.limits)
    this.#requestRates = new RequestRates(context.limits.circuitsPerSecondPerIp)
  }

  /** Number of circuits that are open or being opened. */
  get taken(): number {
    return this.#slots.taken
  }

  /** Bytes of all circuits so far, including open ones. */
  get bytes(): BytesTransferred {
    const bytes = { ...this.#bytes }
    for (const { bytesToResponder, bytesToInitiator } of this.#circuits) {
      bytes.toResponder += bytesToResponder
      bytes.toInitiator += bytesToInitiator
    }
    return bytes
  }

  /** Resolves when no circuit is open or being opened. */
  async ended(): Promise<void> {
    await this.#slots.emptied()
  }

  /** Resets all circuits. */
  stop(): void {
    for (const circuit of this.#circuits) circuit.stop()
    this.#rates.clear()
  }

  /** Answers one request. Resolves with true if a circuit has taken over the stream. */
  async handle(request: HopRequest): Promise<boolean> {
    const responder = peerOf(request)
    if (responder === undefined) {
      await request.answer({ status: Status.MALFORMED_MESSAGE })
      return false
    }
    const ends = { initiator: request.connection.remotePeer, responder }
    const refusal = await this.#refusalOf(request, ends)
    if (refusal !== undefined) return await this.#refuse(request, ends, refusal)
    const connection = directConnectionTo(this.#context.components.connectionManager, responder)
    if (connection === undefined) return await this.#refuse(request, ends, { reason: 'no-reservation' })
    const holder = new Holder(request, this.#context.admission)
    const slot = this.#slots.take(ends, holder)
    if (typeof slot === 'string') return await this.#refuse(request, ends, { reason: slot })
    let isOpen = false
    try {
      isOpen = await this.#open(request, { ends, connection, slot, holder })
    } finally {
      if (!isOpen) slot()
    }
    return isOpen
  }

  async #refusalOf(
    { connection, signal }: HopRequest,
    { initiator, responder }: CircuitOpened,
  ): Promise<{ reason: CircuitRefusal; rule?: string } | undefined> {
    const { admission, reservations } = this.#context
    const { remoteAddr } = connection
    if (!isDirect(connection)) return { reason: 'over-circuit' }
    if (this.#context.isDraining) return { reason: 'draining' }
    if (!this.#requestRates.allow(remoteAddr)) return { reason: 'too-often' }
    const visitor = { peerId: initiator, remoteAddr, connection }
    const verdict = await decide(() => admission.mayConnect(visitor, responder, { signal }))
    if (verdict !== undefined) return { reason: 'denied', rule: verdict.deniedBy }
    return reservations.has(responder) ? undefined : { reason: 'no-reservation' }
  }

  async #open(request: HopRequest, opening: Opening): Promise<boolean> {
    const { ends, connection, holder } = opening
    const signal = AbortSignal.any([request.signal, holder.replaced])
    const responder = await this.#callResponder(connection, ends.initiator, signal)
    if (holder.replaced.aborted) {
      responder?.abort(holder.replaced.reason as Error)
      return await this.#refuse(request, ends, { reason: 'too-many' })
    }
    if (responder === undefined) return await this.#refuse(request, ends, { reason: 'connection-failed' })
    const limit = limitMessageOf(this.#context.limits)
    try {
      await request.answer({ status: Status.OK, ...(limit === undefined ? {} : { limit }) })
    } catch (error) {
      responder.abort(error as Error)
      throw error
    }
    this.#join(opening, request.takeStream(), responder)
    return true
  }

  /** Asks the responder to accept the circuit. Resolves with `undefined` if it refuses or is gone. */
  async #callResponder(
    connection: Connection,
    initiator: PeerId,
    signal: AbortSignal,
  ): Promise<Stream | undefined> {
    let stream: Stream | undefined
    try {
      stream = await connection.newStream(RELAY_V2_STOP_CODEC, {
        signal,
        // the circuit slots already limit these streams
        maxOutboundStreams: Infinity,
      })
      const messages = pbStream(stream, messageBounds(MAX_MESSAGE_BYTES))
      const peer = { id: initiator.toMultihash().bytes, addrs: [] }
      const limit = limitMessageOf(this.#context.limits)
      const call: StopMessage = { type: StopType.CONNECT, peer, ...(limit === undefined ? {} : { limit }) }
      await messages.write(call, StopMessage, { signal })
      const { type, status } = await messages.read(StopMessage, { signal })
      if (type === StopType.STATUS && status === Status.OK) return messages.unwrap()
      await stream.close({ signal })
    } catch (error) {
      stream?.abort(error as Error)
    }
    return undefined
  }

  #join({ ends, slot, holder }: Opening, initiator: Stream, responder: Stream): void {
    const { events, limits } = this.#context
    const openedAt = performance.now()
    const rates = this.#rates.ofCircuit(ends)
    events.safeDispatchEvent('circuit:opened', { detail: ends })
    const circuit = new Circuit({
      initiator,
      responder,
      maxBytes: limits.circuitBytes,
      maxDurationMs: limits.circuitDurationMs,
      buckets: rates.buckets,
      onEnded: end => {
        this.#circuits.delete(circuit)
        this.#bytes.toResponder += end.bytesToResponder
        this.#bytes.toInitiator += end.bytesToInitiator
        rates.release()
        slot()
        const detail = { ...ends, ...end, durationMs: performance.now() - openedAt }
        events.safeDispatchEvent('circuit:closed', { detail })
      },
    })
    this.#circuits.add(circuit)
    circuit.start()
    holder.opened(circuit)
  }

  async #refuse(
    request: HopRequest,
    ends: CircuitOpened,
    refusal: { reason: CircuitRefusal; rule?: string },
  ): Promise<false> {
    const { remoteAddr } = request.connection
    this.#context.events.safeDispatchEvent('circuit:refused', { detail: { ...ends, remoteAddr, ...refusal } })
    await request.answer({ status: statuses[refusal.reason] })
    return false
  }
}

function peerOf({ message }: HopRequest): PeerId | undefined {
  try {
    return peerIdFromMultihash(Digest.decode(message.peer?.id ?? new Uint8Array()))
  } catch {
    return undefined
  }
}

/** Lets another circuit take the slot of one, whether it is open or being opened. */
class Holder implements SlotHolder {
  readonly path: readonly string[]
  readonly isNamed: boolean
  readonly #askedAt = performance.now()
  readonly #replaced = new AbortController()
  #circuit: Circuit | undefined

  constructor({ connection }: HopRequest, admission: Admission) {
    const { remotePeer: peerId, remoteAddr } = connection
    this.path = [...sharesOf(remoteAddr), peerId.toString()]
    this.isNamed = admission.isNamed?.({ peerId, remoteAddr, connection }) ?? false
  }

  get usedAt(): number {
    return Math.max(this.#askedAt, this.#circuit?.usedAt ?? 0)
  }

  /** Fires when the circuit must not be opened any more. */
  get replaced(): AbortSignal {
    return this.#replaced.signal
  }

  replace(): void {
    this.#replaced.abort(new Error('The relay needs the place of this circuit for another one'))
    this.#circuit?.stop('replaced')
  }

  opened(circuit: Circuit): void {
    this.#circuit = circuit
    // replaced while the answer was on its way
    if (this.replaced.aborted) circuit.stop('replaced')
  }
}
