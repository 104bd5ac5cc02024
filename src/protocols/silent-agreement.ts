/**
 * Begins an encryption on a socket without multistream-select, where both sides know already that the other speaks it.
 * That saves the round trip of the negotiation.
 *
 * The side that would propose sends the first message of TLS. Its first byte says what it is: 0x16 (RFC 8446, 5.1), where
 * a proposal of multistream-select begins with 0x13. libp2p negotiates all the same, and each side hears the other's
 * words from here.
 */

import { StreamMessageEvent } from '@libp2p/interface'
import { shapeCheck } from '../patches/expect-shape.ts'
import { proposalOf } from './optimistic-stream.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** The type of a record that contains a message of the handshake. */
const HANDSHAKE_RECORD = 0x16

// a listener of `message` would keep what was said from the handshake
const assertShape = shapeCheck('@libp2p/utils', { onData: 'function' })

/** Answers the proposal of this encryption in the remote's place, and sends nothing of it. */
export function proposeSilently(socket: MultiaddrConnection, protocol: string): void {
  const proposal = proposalOf(protocol)
  const send = socket.send.bind(socket)
  socket.send = data => {
    socket.send = send
    if (!proposal.equals(data.subarray())) return send(data)
    socket.dispatchEvent(new StreamMessageEvent(proposal))
    return true
  }
}

/**
 * Proposes this encryption in the remote's place if the remote begins with TLS, and keeps the answer back.
 *
 * @throws {UpstreamChangedError}
 */
export function acceptSilently(socket: MultiaddrConnection, protocol: string): void {
  assertShape(socket)
  const proposal = proposalOf(protocol)
  const incoming = socket as MultiaddrConnection & { onData(data: Uint8Array | Uint8ArrayList): void }
  const onData = incoming.onData.bind(socket)
  let isFirst = true
  incoming.onData = data => {
    const isTls = isFirst && data.subarray(0, 1)[0] === HANDSHAKE_RECORD
    isFirst = false
    if (!isTls) return onData(data)
    holdBack(socket, proposal.byteLength)
    onData(Buffer.concat([proposal, data.subarray()]))
  }
}

/** Keeps the first bytes that are sent: the answer, which has the length of the proposal. */
function holdBack(socket: MultiaddrConnection, bytes: number): void {
  const send = socket.send.bind(socket)
  let left = bytes
  socket.send = data => {
    left -= data.byteLength
    if (left <= 0) socket.send = send
    return true
  }
}
