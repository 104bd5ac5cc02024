/** What the messages of each protocol are like, for the tables of attacks. */

import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CONNECT } from '../dcutr-message.ts'
import { field } from '../hop-client.ts'
import { MIB } from './table.ts'
import type { PeerId } from '@libp2p/interface'
import type { Attack, MessageInit } from './table.ts'

const SOMEBODY = peerIdFromString('12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw').toMultihash().bytes

const type = { name: 'type', number: 1, kind: 'varint' } as const
const peer = { name: 'peer', number: 2, kind: 'message' } as const

/** A request to the relay. */
export const HOP_MESSAGE: MessageInit = {
  maxBytes: 4096,
  fields: [
    type,
    { ...peer, isRepeated: true },
    { name: 'reservation', number: 3, kind: 'message' },
    { name: 'limit', number: 4, kind: 'message' },
    { name: 'status', number: 5, kind: 'varint' },
  ],
  before: Buffer.concat([field(1, 1), field(2, field(1, SOMEBODY))]),
}

/** What a relay answers. */
export const HOP_ANSWER: MessageInit = {
  ...HOP_MESSAGE,
  maxBytes: 16_383,
  before: Buffer.concat([field(1, 2), field(5, 100), field(3, field(1, 2 ** 31))]),
}

export const STOP_MESSAGE: MessageInit = {
  maxBytes: 4096,
  fields: [
    type,
    { ...peer, isRepeated: true },
    { name: 'limit', number: 3, kind: 'message' },
    { name: 'status', number: 4, kind: 'varint' },
  ],
  before: Buffer.concat([field(1, 0), field(2, field(1, SOMEBODY))]),
}

export const DCUTR_MESSAGE: MessageInit = {
  maxBytes: 4096,
  fields: [
    type,
    { name: 'addrs', number: 2, kind: 'bytes', isRepeated: true },
    { name: 'reachable', number: 1001, kind: 'bytes', isRepeated: true },
  ],
  before: field(1, CONNECT),
}

export const AUTONAT_MESSAGE: MessageInit = {
  maxBytes: 8192,
  fields: [
    { name: 'dialRequest', number: 1, kind: 'message', isRepeated: true },
    { name: 'dialResponse', number: 2, kind: 'message' },
    { name: 'dialDataRequest', number: 3, kind: 'message' },
  ],
}

export const DIAL_BACK_MESSAGE: MessageInit = {
  maxBytes: 64,
  fields: [{ name: 'nonce', number: 1, kind: 'fixed64' }],
}

/** What a remote says of itself. */
export function identifyMessage({ publicKey }: PeerId): MessageInit & { before: Buffer } {
  if (publicKey === undefined) throw new TypeError('the peer id has no public key')
  return {
    maxBytes: 32 * 1024,
    fields: [
      { name: 'publicKey', number: 1, kind: 'bytes' },
      { name: 'listenAddrs', number: 2, kind: 'bytes', isRepeated: true },
      { name: 'protocols', number: 3, kind: 'bytes', isRepeated: true },
      { name: 'observedAddr', number: 4, kind: 'bytes' },
      { name: 'signedPeerRecord', number: 8, kind: 'bytes' },
    ],
    before: field(1, publicKeyToProtobuf(publicKey)),
  }
}

export const TUNNEL_MESSAGE: MessageInit = { maxBytes: 1024 }

export const TOKEN_MESSAGE: MessageInit = { maxBytes: 256 }

/** An AutoNAT request whose addresses are many. */
export function dialRequests(): Attack[] {
  return ['/ip4/1.2.3.4', '/ip4/127.0.0.1/tcp/1', '/dns/a/tcp/1'].map(text => {
    const { bytes } = multiaddr(text)
    const addr = Buffer.concat([Buffer.of(0x0a, bytes.length), bytes])
    const count = Math.floor(8_000 / addr.length)
    const inner = Buffer.concat(Array.from({ length: count }, () => addr))
    const body = Buffer.concat([Buffer.of(0x0a, (inner.length & 127) | 128, inner.length >> 7), inner])
    const length = Buffer.of((body.length & 127) | 128, body.length >> 7)
    return { name: `${count} addresses ${text}`, bytes: Buffer.concat([length, body]), streams: 32 }
  })
}

/** Frames of a tunnel that is open. */
export function frameAttacks(): Attack[] {
  const data = (length: number, bytes = length): Buffer => {
    const header = Buffer.alloc(5)
    header.writeUInt32BE(length, 1)
    return Buffer.concat([header, Buffer.alloc(bytes, 0x61)])
  }
  const ack = (received: bigint, limit: bigint): Buffer => {
    const frame = Buffer.alloc(17)
    frame.writeUInt8(1)
    frame.writeBigUInt64BE(received, 1)
    frame.writeBigUInt64BE(limit, 9)
    return frame
  }
  const flood = (name: string, part: Buffer): Attack => ({
    name,
    bytes: Buffer.concat(Array.from({ length: Math.floor(MIB / part.byteLength) }, () => part)),
  })
  return [
    flood('data of no bytes', data(0)),
    flood('data of one byte', data(1)),
    flood('data of 100 bytes', data(100)),
    { name: 'data of 64 KiB and one byte', bytes: data(65_537) },
    { name: 'data of 2^32 - 1 bytes', bytes: data(2 ** 32 - 1, MIB) },
    flood('acknowledgements of nothing', ack(0n, 0n)),
    flood('acknowledgements with a window', ack(0n, 2n ** 53n - 1n)),
    flood('an acknowledgement of too much', ack(2n ** 53n - 1n, 0n)),
    flood('a position of 2^64 - 1', ack(2n ** 64n - 1n, 0n)),
    flood('ends', Buffer.of(2)),
    flood('cuts', Buffer.of(3)),
    flood('frames of an unknown type', Buffer.of(4)),
  ]
}
