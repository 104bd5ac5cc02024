/**
 * Tickets: one string that says where a peer is, which of its services to use, and the secret by which it lets the bearer in.
 *
 * The text is `tnat1`, then in base58 (no character in it ends a word) a protobuf message and the first four bytes of its SHA-256, so that a
 * text that was cut or mistyped is told from one that was refused. Whoever has the text may use the service: it is never printed but by
 * the command that makes it.
 */

import { createHash } from 'node:crypto'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { base58btc } from 'multiformats/bases/base58'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'
import { isServiceName } from '../tunnel/wire/protocol.ts'
import { fitting } from '../../src/addresses/ranking.ts'
import { bytes, messageType, repeated, uint64 } from '../../src/protocols/protobuf.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What a ticket's text begins with: what it is, and its version. */
export const TICKET_PREFIX = 'tnat1'

/** Bytes of a ticket's id and of its key, which is as hard to guess as a key of AES-128. Both together are its secret. */
const ID_BYTES = 8
const KEY_BYTES = 16

/** Longest text, in characters. With four relays that have names it is some 400; to read base58 takes the square of its length. */
const MAX_TEXT = 1024

/** Most places that are read from a ticket: each would be dialled. */
export const MAX_PLACES = 8

const CHECKSUM_BYTES = 4

/** Bytes that a text of that length holds: base58 has log 58 / log 256 of a byte in each character. */
const MAX_BYTES = Math.floor(((MAX_TEXT - TICKET_PREFIX.length) * Math.log(58)) / Math.log(256)) - 1

/** What the message adds to a place, in bytes: tag, and a length of at most two. */
const PLACE_OVERHEAD_BYTES = 3

/** A ticket, read. */
export interface Ticket {
  peerId: PeerId
  /** Where the peer is: addresses of relays that it has reservations at, which end in the relay's id, and addresses of its own, which end in none. */
  places: readonly Multiaddr[]
  service: string
  secret: string
  /** When it ends; undefined if it does not. */
  expiresAt: Date | undefined
}

const ticketMessage = messageType({
  peerId: bytes(1),
  places: repeated(bytes(2)),
  service: bytes(3),
  secret: bytes(4),
  /** Seconds since the epoch. */
  expiresAt: uint64(5),
})

/** Tells whether a text is meant to be a ticket. */
export function looksLikeTicket(text: string): boolean {
  return text.startsWith(TICKET_PREFIX)
}

/** Hides tickets in a text that is to be shown. */
export function hideTickets(text: string): string {
  return text.replace(/tnat\d[1-9A-Za-z]{8,}/g, 'tnat1(hidden)')
}

/** Writes a ticket, with as many of its places, the first ones first, as its readers take. */
export function encodeTicket({ peerId, places, service, secret, expiresAt }: Ticket): string {
  const message = {
    peerId: peerId.toMultihash().bytes,
    service: Buffer.from(service),
    secret: Buffer.from(secret, 'base64url'),
    ...(expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt.getTime() / 1000) }),
  }
  const room = MAX_BYTES - CHECKSUM_BYTES - ticketMessage.encode(message).byteLength
  const fit = fitting(places, room, it => it.bytes.byteLength + PLACE_OVERHEAD_BYTES)
  const body = ticketMessage.encode({ ...message, places: fit.map(it => it.bytes) })
  return TICKET_PREFIX + base58btc.baseEncode(Buffer.concat([body, checksum(body)]))
}

/**
 * Reads a ticket.
 *
 * @throws {Error} that says what is wrong with the text, without the text
 */
export function decodeTicket(text: string): Ticket {
  const damaged = 'the ticket is damaged; copy the whole of it, or ask for another'
  if (!looksLikeTicket(text)) throw new Error(`a ticket begins with ${TICKET_PREFIX}`)
  if (text.length > MAX_TEXT) throw new Error(damaged)
  try {
    return readTicket(base58btc.baseDecode(text.slice(TICKET_PREFIX.length)))
  } catch (cause) {
    throw new Error(damaged, { cause })
  }
}

function readTicket(all: Uint8Array): Ticket {
  const body = all.subarray(0, -CHECKSUM_BYTES)
  if (!checksum(body).equals(all.subarray(-CHECKSUM_BYTES))) throw new Error('The checksum is wrong')
  const { peerId, places = [], secret, expiresAt, ...rest } = ticketMessage.decode(body)
  const service = Buffer.from(rest.service ?? []).toString()
  if (peerId === undefined || secret?.length !== ID_BYTES + KEY_BYTES || !isServiceName(service))
    throw new Error('A field is missing')
  const digest = decodeMultihash(peerId) as Parameters<typeof peerIdFromMultihash>[0]
  return {
    peerId: peerIdFromMultihash(digest),
    places: places.slice(0, MAX_PLACES).map(it => multiaddr(it)),
    service,
    secret: Buffer.from(secret).toString('base64url'),
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt * 1000),
  }
}

/** The part of a secret that names the ticket; it may be shown. Undefined if the text is no secret. */
export function idOfSecret(secret: string): string | undefined {
  // 24 bytes are 32 characters
  if (!/^[A-Za-z0-9_-]{32}$/.test(secret)) return undefined
  return Buffer.from(secret, 'base64url').subarray(0, ID_BYTES).toString('hex')
}

/** How many random bytes a new secret has. */
export const SECRET_BYTES: number = ID_BYTES + KEY_BYTES

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest().subarray(0, CHECKSUM_BYTES)
}
