/**
 * Tickets: one string with the addresses of a peer, the name of a service, and the secret that admits its
 * holder.
 *
 * The text is `tnat1`, followed in base58 by a protobuf message and the first four bytes of its SHA-256. The
 * checksum distinguishes a truncated or mistyped text from a refused ticket. Base58 has no characters that
 * end a word, so a double click selects the whole text. Anyone who has the text may use the service, so only
 * the command that creates it prints it.
 */

import { createHash } from 'node:crypto'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { base58btc } from 'multiformats/bases/base58'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'
import { isServiceName } from '../tunnel/wire/protocol.ts'
import { looksLikeTicket, TICKET_PREFIX } from './prefix.ts'
import { fitting } from '../../src/addresses/ranking.ts'
import { bytes, messageType, repeated, uint64 } from '../../src/protocols/protobuf.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Bytes of a ticket's id and of its key. The key is as hard to guess as an AES-128 key. Both together are the
 * secret.
 */
const ID_BYTES = 8
const KEY_BYTES = 16

/**
 * Longest text, in characters. With four relays that have names it has about 400. Decoding base58 takes
 * quadratic time.
 */
const MAX_TEXT = 1024

/** Most places that are read from a ticket, because each is dialled. */
export const MAX_PLACES = 8

const CHECKSUM_BYTES = 4

/** Bytes that a text of that length holds: base58 has log 58 / log 256 of a byte in each character. */
const MAX_BYTES = Math.floor(((MAX_TEXT - TICKET_PREFIX.length) * Math.log(58)) / Math.log(256)) - 1

/** What the message adds to a place, in bytes: tag, and a length of at most two. */
const PLACE_OVERHEAD_BYTES = 3

/** The content of a ticket. */
export interface Ticket {
  peerId: PeerId
  /**
   * Where the peer can be reached: addresses of its relays, which end in the relay's id, and addresses of its
   * own, which have no id.
   */
  places: readonly Multiaddr[]
  service: string
  secret: string
  /** When it expires. `undefined` if it does not. */
  expiresAt: Date | undefined
}

const ticketMessage = messageType({
  peerId: bytes(1),
  places: repeated(bytes(2)),
  service: bytes(3),
  secret: bytes(4),
  /** In seconds since the epoch. */
  expiresAt: uint64(5),
})

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
 * @throws {Error} if the text is damaged; its message does not contain the text
 */
export function decodeTicket(text: string): Ticket {
  const damaged = 'the ticket is damaged; copy all of it, or ask for a new one'
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

/** The id in a secret, which is not confidential. `undefined` if the text is not a secret. */
export function idOfSecret(secret: string): string | undefined {
  // 24 bytes have 32 characters in base64url
  if (!/^[A-Za-z0-9_-]{32}$/.test(secret)) return undefined
  return Buffer.from(secret, 'base64url').subarray(0, ID_BYTES).toString('hex')
}

/** Number of random bytes in a new secret. */
export const SECRET_BYTES: number = ID_BYTES + KEY_BYTES

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest().subarray(0, CHECKSUM_BYTES)
}
