/**
 * Reads who a remote is, in as many messages as it sends, and bounds what that costs.
 *
 * `@libp2p/identify` 4.1.14 decodes ten messages, each with any number of fields, and parses all addresses in
 * them: a broken one of two bytes costs it 25 us.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/identify/README.md, https://github.com/libp2p/specs/pull/709
 */

import { lpStream } from '@libp2p/utils'
import { parseAddresses } from '../../addresses/parse-addresses.ts'
import { messageBounds } from '../message-bounds.ts'
import { IdentifyMessage } from './answer.ts'
import type { AbortOptions, Stream } from '@libp2p/interface'

/**
 * Longest message, in bytes. Others should send 4096 at most, but a js-libp2p node puts in all addresses of
 * its host, twice: 300 of them are 10 KiB.
 */
const MAX_MESSAGE_BYTES = 32 * 1024

/** Most messages that are read (`MAX_IDENTIFY_MESSAGES` of `@libp2p/identify`). */
const MAX_MESSAGES = 10

/** All messages together, in bytes. What exceeds it is left out. */
const MAX_BYTES = 64 * 1024

/** Addresses, and protocols, that are kept. Others are left out. */
const MAX_ADDRS = 512
const MAX_PROTOCOLS = 1024

/** Longest signed record, in bytes: that of 512 addresses with IPv6 and a port. A longer one is left out. */
const MAX_RECORD_BYTES = 16 * 1024

/** What a remote says of itself, as `@libp2p/identify` has it. */
export interface Identification {
  protocolVersion?: string
  agentVersion?: string
  publicKey?: Uint8Array
  listenAddrs: Uint8Array[]
  observedAddr?: Uint8Array
  protocols: string[]
  signedPeerRecord?: Uint8Array
}

/**
 * Reads until the remote has closed the stream, or has said enough, and closes the stream.
 *
 * @throws {InvalidMessageError} if the first message is longer than it may be, or is none
 * @throws what went wrong with the stream before the first message, or the signal's reason
 */
export async function readIdentify(stream: Stream, options: AbortOptions): Promise<Identification> {
  const messages = lpStream(stream, messageBounds(MAX_MESSAGE_BYTES))
  const received: IdentifyMessage[] = []
  for (let bytes = 0; received.length < MAX_MESSAGES; ) {
    try {
      const message = await messages.read(options)
      bytes += message.byteLength
      if (bytes > MAX_BYTES) break
      received.push(IdentifyMessage.decode(message))
    } catch (error) {
      if (received.length === 0) throw error
      break
    }
  }
  await stream.close(options).catch((error: Error) => stream.abort(error))
  return merged(received)
}

function merged(messages: readonly IdentifyMessage[]): Identification {
  const { protocolVersion, agentVersion, ...last } = Object.assign({}, ...messages) as IdentifyMessage
  const all = messages.flatMap(it => it.listenAddrs ?? [])
  const protocols = messages.flatMap(it => it.protocols ?? []).slice(0, MAX_PROTOCOLS)
  const { publicKey, observedAddr, signedPeerRecord } = last
  return {
    listenAddrs: parseAddresses(all, MAX_ADDRS).map(it => it.bytes),
    protocols: [...new Set(protocols.map(it => textOf(it)))],
    ...(protocolVersion === undefined ? {} : { protocolVersion: textOf(protocolVersion) }),
    ...(agentVersion === undefined ? {} : { agentVersion: textOf(agentVersion) }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(observedAddr === undefined ? {} : { observedAddr }),
    ...(signedPeerRecord === undefined || signedPeerRecord.byteLength > MAX_RECORD_BYTES
      ? {}
      : { signedPeerRecord }),
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
