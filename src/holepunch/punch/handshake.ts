/** The handshake on a socket of a punch: its role, its identity, and what is heard of it. */

import { CODE_P2P } from '@multiformats/multiaddr'
import { encryptionsOnSockets } from '../../encryption/choice.ts'
import { TLS_PROTOCOL } from '../../encryption/tls.ts'
import { acceptSilently, proposeSilently } from '../../protocols/silent-agreement.ts'
import { shapeCheck } from '../../patches/expect-shape.ts'
import type { MultiaddrConnection, PeerId, Upgrader } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * Gives the socket the role that DCUtR dealt and the identity that must answer. yamux takes its role from the direction
 * of the socket, which is 'outbound' after any dial; on the responder's side that made two clients, and the connection
 * died with its first stream.
 */
export function pin(
  socket: MultiaddrConnection,
  remotePeer: PeerId,
  initiator: boolean,
): MultiaddrConnection {
  const remoteAddr = socket.remoteAddr.decapsulateCode(CODE_P2P).encapsulate(`/p2p/${remotePeer}`)
  return Object.assign(socket, { direction: initiator ? 'outbound' : 'inbound', remoteAddr } as const)
}

/** `/multistream/1.0.0` with its length and line end, in bytes. A side that waits for a proposal may say this much (https://github.com/multiformats/multistream-select). */
const GREETING_BYTES = 20

// a listener of `message` would keep what was said from the handshake
const assertShape = shapeCheck('@libp2p/utils', { onData: 'function' })

/**
 * Calls back when the remote has said more than a greeting.
 *
 * @throws {UpstreamChangedError}
 */
export function onProposal(socket: MultiaddrConnection, callback: () => void): void {
  assertShape(socket)
  const incoming = socket as MultiaddrConnection & { onData(data: Uint8Array | Uint8ArrayList): void }
  const onData = incoming.onData.bind(socket)
  let heard = 0
  incoming.onData = data => {
    heard += data.byteLength
    if (heard > GREETING_BYTES) {
      incoming.onData = onData
      callback()
    }
    onData(data)
  }
}

/**
 * Has TLS begin on a socket without negotiation if both sides take it so. Returns the encryptions to propose; undefined for
 * all of the node.
 */
export function agreeSilently(
  socket: MultiaddrConnection,
  upgrader: Upgrader,
  { remoteSpeaks = [] }: { remoteSpeaks?: readonly string[] },
): readonly string[] | undefined {
  const encryptions = encryptionsOnSockets(upgrader)
  if (encryptions?.includes(TLS_PROTOCOL) !== true) return encryptions
  if (socket.direction === 'inbound') acceptSilently(socket, TLS_PROTOCOL)
  else if (remoteSpeaks.includes(TLS_PROTOCOL)) {
    proposeSilently(socket, TLS_PROTOCOL)
    return [TLS_PROTOCOL]
  }
  return encryptions
}

/** The upgrader wraps the encrypter's errors and keeps only the text, that of `@chainsafe/libp2p-noise` here. */
export function isWrongPeer(error: unknown): boolean {
  return (error as Error).message.includes('does not match expected remote identity')
}
