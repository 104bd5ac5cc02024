/**
 * Answers who this node is, in as many messages as it takes.
 *
 * `@libp2p/identify` 4.1.14 writes one message of any length. rust-libp2p reads one of 4096 bytes (`MAX_MESSAGE_SIZE_BYTES` of protocols/identify/src/protocol.rs), and
 * go-libp2p and @libp2p/identify read ten that they merge (`maxMessages` of p2p/protocol/identify/id.go, `MAX_IDENTIFY_MESSAGES`). So the first message has all that fits, and what
 * remains comes after it: the signed record as in go-libp2p, and the protocols of an application with many.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/identify/README.md, https://github.com/libp2p/specs/pull/709
 */

import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { lpStream } from '@libp2p/utils'
import { withoutPeerId } from '../../addresses/endpoint.ts'
import { bytes, messageType, repeated } from '../protobuf.ts'
import type { AbortOptions, PeerId, PeerStore, PrivateKey, Stream } from '@libp2p/interface'
import type { AddressManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Longest message, in bytes. */
const MAX_MESSAGE_BYTES = 4096

/** Most messages that others read, in go-libp2p with the end of the stream for one. */
const MAX_MESSAGES = 9

/** `message Identify`; strings are bytes. */
export const IdentifyMessage = messageType({
  publicKey: bytes(1),
  listenAddrs: repeated(bytes(2)),
  protocols: repeated(bytes(3)),
  observedAddr: bytes(4),
  protocolVersion: bytes(5),
  agentVersion: bytes(6),
  signedPeerRecord: bytes(8),
})

export type IdentifyMessage = ReturnType<typeof IdentifyMessage.decode>

/** What there is to say. */
export interface Identity {
  peerId: PeerId
  privateKey: PrivateKey
  addressManager: Pick<AddressManager, 'getAddresses'>
  peerStore: Pick<PeerStore, 'get'>
  protocolVersion: string
  agentVersion: string
}

/** Writes the answer and closes the stream. `observedAddr` is where the remote comes from, if that says anything. */
export async function answerIdentify(
  stream: Stream,
  identity: Identity,
  observedAddr: Multiaddr | undefined,
  options: AbortOptions,
): Promise<void> {
  const { peerId, privateKey, addressManager, peerStore } = identity
  const { protocols } = await peerStore.get(peerId, options)
  const multiaddrs = addressManager.getAddresses().map(withoutPeerId)
  const record =
    multiaddrs.length === 0
      ? undefined
      : await RecordEnvelope.seal(new PeerRecord({ peerId, multiaddrs }), privateKey, options)
  const parts = inParts({
    protocolVersion: Buffer.from(identity.protocolVersion),
    agentVersion: Buffer.from(identity.agentVersion),
    publicKey: publicKeyToProtobuf(privateKey.publicKey),
    listenAddrs: multiaddrs.map(addr => addr.bytes),
    protocols: protocols.map(it => Buffer.from(it)),
    ...(observedAddr === undefined ? {} : { observedAddr: observedAddr.bytes }),
    ...(record === undefined ? {} : { signedPeerRecord: record.marshal().subarray() }),
  })
  const messages = lpStream(stream)
  for (const part of parts) await messages.write(IdentifyMessage.encode(part), options)
  await messages.unwrap().close(options)
}

/** Takes an answer apart into messages that everybody reads. Protocols beyond the last of them are left out. */
export function inParts(whole: IdentifyMessage): IdentifyMessage[] {
  if (lengthOf(whole) <= MAX_MESSAGE_BYTES) return [whole]
  const { signedPeerRecord, protocols = [], ...rest } = whole
  let part: IdentifyMessage & { protocols: Uint8Array[] } = { ...rest, protocols: [] }
  let length = lengthOf(part)
  const parts = [part]
  for (const protocol of protocols) {
    const more = lengthOf({ protocols: [protocol] })
    if (length + more > MAX_MESSAGE_BYTES) {
      part = { protocols: [] }
      length = 0
      parts.push(part)
    }
    part.protocols.push(protocol)
    length += more
  }
  const record = signedPeerRecord === undefined ? [] : [{ signedPeerRecord }]
  return [...parts.slice(0, MAX_MESSAGES - record.length), ...record]
}

function lengthOf(message: IdentifyMessage): number {
  return IdentifyMessage.encode(message).byteLength
}
