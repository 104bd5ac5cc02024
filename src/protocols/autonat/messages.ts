/**
 * The messages of AutoNAT v2: a peer asks to be dialled back at one of its addresses, and is told how that went.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md#rpc-messages
 */

import { bytes, fixed64, messageType, nested, repeated, uint32, uint64 } from '../protobuf.ts'

/** On which a peer asks. Each request has a stream of its own. */
export const DIAL_REQUEST_PROTOCOL = '/libp2p/autonat/2/dial-request'

/** On which the nonce comes back, over the connection that was dialled. */
export const DIAL_BACK_PROTOCOL = '/libp2p/autonat/2/dial-back'

/** Longest message in bytes, as in go-libp2p (`maxMsgSize` of p2p/protocol/autonatv2/autonat.go). */
export const MAX_MESSAGE_BYTES = 8192

/** Addresses that are looked at in one request, as in go-libp2p (`maxPeerAddresses` of p2p/protocol/autonatv2/autonat.go). */
export const MAX_ADDRS = 50

/** `DialResponse.ResponseStatus`: what became of the request. */
export const ResponseStatus = {
  E_INTERNAL_ERROR: 0,
  E_REQUEST_REJECTED: 100,
  E_DIAL_REFUSED: 101,
  OK: 200,
} as const

/** The name of a {@link ResponseStatus}. */
export type ResponseStatusName = keyof typeof ResponseStatus

/** `DialStatus`: what became of the dial, where there was one. */
export const DialStatus = {
  UNUSED: 0,
  E_DIAL_ERROR: 100,
  E_DIAL_BACK_ERROR: 101,
  OK: 200,
} as const

/** The name of a {@link DialStatus}. */
export type DialStatusName = keyof typeof DialStatus

const dialRequest = messageType({
  addrs: repeated(bytes(1)),
  nonce: fixed64(2),
})

const dialResponse = messageType({
  status: uint32(1),
  addrIdx: uint32(2),
  dialStatus: uint32(3),
})

const dialDataRequest = messageType({
  addrIdx: uint32(1),
  numBytes: uint64(2),
})

/** What is said on {@link DIAL_REQUEST_PROTOCOL}: one of these. Dial data, which we neither ask for nor send, is left out. */
export const Message = messageType({
  dialRequest: nested(1, dialRequest),
  dialResponse: nested(2, dialResponse),
  dialDataRequest: nested(3, dialDataRequest),
})

/** What whoever dialled back says on {@link DIAL_BACK_PROTOCOL}. */
export const DialBack = messageType({ nonce: fixed64(1) })

/** And what it is answered: 0 is OK, and there is nothing else. */
export const DialBackResponse = messageType({ status: uint32(1) })

export type DialRequest = ReturnType<typeof dialRequest.decode>
export type DialResponse = ReturnType<typeof dialResponse.decode>
export type Message = ReturnType<typeof Message.decode>

/** The name of a status, or nothing for one that the specification does not know. */
export function nameOf<Name extends string>(
  statuses: Readonly<Record<Name, number>>,
  value: number,
): Name | undefined {
  return (Object.keys(statuses) as Name[]).find(name => statuses[name] === value)
}
