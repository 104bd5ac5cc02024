/**
 * Reservation vouchers: the relay's signed word that a peer may be reached through it.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md#reservation-vouchers
 */

import { RecordEnvelope } from '@libp2p/peer-record'
import { ReservationVoucher } from './messages.ts'
import type { PeerId, PrivateKey, Record } from '@libp2p/interface'

/** The domain that the signature is made for, so that it can be taken for nothing else. */
export const VOUCHER_DOMAIN = 'libp2p-relay-rsvp'

/** The multicodec `libp2p-relay-rsvp`, 0x0302. */
const VOUCHER_CODEC: Uint8Array = Uint8Array.of(0x03, 0x02)

/** A signed voucher. `expiresAt` is in seconds since the epoch. */
export async function sealVoucher(init: {
  relay: PeerId
  peer: PeerId
  expiresAt: number
  privateKey: PrivateKey
}): Promise<Uint8Array> {
  const payload = ReservationVoucher.encode({
    relay: init.relay.toMultihash().bytes,
    peer: init.peer.toMultihash().bytes,
    expiration: init.expiresAt,
  })
  const record: Record = {
    domain: VOUCHER_DOMAIN,
    codec: VOUCHER_CODEC,
    marshal: () => payload,
    equals: other => other === record,
  }
  const envelope = await RecordEnvelope.seal(record, init.privateKey)
  return envelope.marshal()
}
