/**
 * Requests a reservation from a relay.
 *
 * The stock transport can also do this. But it refreshes reservations of less than ten minutes too late,
 * never asks a relay again that it failed to reach once, and does not check the voucher.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md#reservation
 */

import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { pbStream } from '@libp2p/utils'
import {
  HopMessage,
  HopType,
  ReservationVoucher,
  Status,
} from '../../../src/protocols/circuit-relay/messages.ts'
import { VOUCHER_DOMAIN } from '../../../src/protocols/circuit-relay/voucher.ts'
import { messageBounds } from '../../../src/protocols/message-bounds.ts'
import { Lifetime } from './lifetime.ts'
import type { AbortOptions, Connection, PeerId, Stream } from '@libp2p/interface'
import type { Clock } from '../../../src/time/clock.ts'

/**
 * Longest answer that is read, in bytes: what a length of two bytes can say. Relays may send 4096, but @libp2p/circuit-relay-v2 and version 0.1 put in all
 * addresses of their host.
 */
const MAX_ANSWER_BYTES = 16_383

/** The relay refused, or its answer is invalid. */
export class ReservationRefusedError extends Error {
  static override readonly name = 'ReservationRefusedError'
  override readonly name = 'ReservationRefusedError'
}

/**
 * Asks for a reservation, or for more time for the one that is held. Resolves with its life, which begins when the answer has come.
 *
 * @throws {ReservationRefusedError} if the relay refuses, its answer is invalid, or it is not a relay
 * @throws the error of the stream, or the reason of `signal`
 */
export async function requestReservation(
  connection: Connection,
  self: PeerId,
  clock: Clock,
  options: AbortOptions,
): Promise<Lifetime> {
  const { answer, lifetime } = await ask(connection, clock, options)
  if (answer.status !== Status.OK) throw new ReservationRefusedError(nameOf(answer.status))
  if (lifetime === undefined) throw new ReservationRefusedError('the answer of the relay has no expiry')
  const { voucher } = answer.reservation ?? {}
  if (voucher !== undefined) await checkVoucher(voucher, connection.remotePeer, self, options)
  return lifetime
}

async function ask(
  connection: Connection,
  clock: Clock,
  options: AbortOptions,
): Promise<{ answer: HopMessage; lifetime: Lifetime | undefined }> {
  const stream = await openHop(connection, options)
  try {
    const messages = pbStream(stream, messageBounds(MAX_ANSWER_BYTES))
    await messages.write({ type: HopType.RESERVE }, HopMessage, options)
    const answer = await messages.read(HopMessage, options)
    const { expire, remainingMs } = answer.reservation ?? {}
    const lifetime = expire === undefined ? undefined : new Lifetime(expire * 1000, remainingMs, clock)
    await stream.close(options)
    return { answer, lifetime }
  } catch (error) {
    stream.abort(error as Error)
    throw relaysNot(error)
  }
}

async function openHop(connection: Connection, options: AbortOptions): Promise<Stream> {
  try {
    return await connection.newStream(RELAY_V2_HOP_CODEC, options)
  } catch (error) {
    throw relaysNot(error)
  }
}

function relaysNot(error: unknown): unknown {
  if ((error as Error).name !== 'UnsupportedProtocolError') return error
  return new ReservationRefusedError('it is not a relay')
}

function nameOf(status: number | undefined): string {
  const [name] = Object.entries(Status).find(([, code]) => code === status) ?? []
  return name ?? `status ${status}`
}

/** A voucher is the relay's signed word for others; one for somebody else, or by somebody else, shows that something is amiss. Its time is one of the relay's clock, and not looked at. */
async function checkVoucher(
  sealed: Uint8Array,
  relay: PeerId,
  self: PeerId,
  options: AbortOptions,
): Promise<void> {
  try {
    const envelope = await RecordEnvelope.openAndCertify(sealed, VOUCHER_DOMAIN, options)
    const voucher = ReservationVoucher.decode(envelope.payload)
    const isFor = (id: Uint8Array | undefined, peerId: PeerId): boolean =>
      id !== undefined && Buffer.from(peerId.toMultihash().bytes).equals(id)
    const signer = peerIdFromPublicKey(envelope.publicKey)
    if (signer.equals(relay) && isFor(voucher.relay, relay) && isFor(voucher.peer, self)) return
  } catch {
    options.signal?.throwIfAborted()
  }
  throw new ReservationRefusedError("the relay's voucher names another peer, or is not signed by the relay")
}
