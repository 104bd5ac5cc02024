/**
 * The messages of circuit-relay v2.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md (protobuf at the end of it)
 */

import { bytes, messageType, nested, repeated, uint32, uint64 } from '../protobuf.ts'

/** Largest message in bytes that others read: go-libp2p (`maxMessageSize` of p2p/protocol/circuitv2/client/dial.go and relay/relay.go) and rust-libp2p (`MAX_MESSAGE_SIZE` of protocols/relay/src/protocol.rs). */
export const MAX_MESSAGE_BYTES = 4096

/** How a request ended. */
export const Status = {
  OK: 100,
  RESERVATION_REFUSED: 200,
  RESOURCE_LIMIT_EXCEEDED: 201,
  PERMISSION_DENIED: 202,
  CONNECTION_FAILED: 203,
  NO_RESERVATION: 204,
  MALFORMED_MESSAGE: 400,
  UNEXPECTED_MESSAGE: 401,
} as const

/** The name of a {@link Status}. */
export type StatusName = keyof typeof Status

/** `HopMessage.Type`: between a peer and the relay. */
export const HopType = { RESERVE: 0, CONNECT: 1, STATUS: 2 } as const

/** `StopMessage.Type`: between the relay and the peer that is to be reached. */
export const StopType = { CONNECT: 0, STATUS: 1 } as const

const peer = messageType({
  /** The multihash of a peer id. */
  id: bytes(1),
  addrs: repeated(bytes(2)),
})

const reservation = messageType({
  /** Seconds since the epoch. */
  expire: uint64(1),
  addrs: repeated(bytes(2)),
  /** A signed envelope. */
  voucher: bytes(3),
  /**
   * How long the reservation lasts from now on, in milliseconds. `expire` is a time by the relay's clock, and useless to a peer whose clock shows another.
   * An extension of throughnat. The number is far from those of the specification, and other implementations skip the field.
   */
  remainingMs: uint64(1001),
})

const limit = messageType({
  /** Seconds; 0 or absent is no limit. */
  duration: uint32(1),
  /** Bytes in each direction; 0 or absent is no limit. */
  data: uint64(2),
})

/** What a peer and the relay say to each other. */
export const HopMessage = messageType({
  type: uint32(1),
  peer: nested(2, peer),
  reservation: nested(3, reservation),
  limit: nested(4, limit),
  status: uint32(5),
})

/** What the relay and the peer that is to be reached say to each other. */
export const StopMessage = messageType({
  type: uint32(1),
  peer: nested(2, peer),
  limit: nested(3, limit),
  status: uint32(4),
})

/** What a voucher says, inside its envelope. */
export const ReservationVoucher = messageType({
  relay: bytes(1),
  peer: bytes(2),
  /** Seconds since the epoch. */
  expiration: uint64(3),
})

export type HopMessage = ReturnType<typeof HopMessage.decode>
export type StopMessage = ReturnType<typeof StopMessage.decode>
/** What a circuit may carry, as peers are told. */
export type LimitMessage = ReturnType<typeof limit.decode>
