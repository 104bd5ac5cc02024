/**
 * Targets: what a person names a remote peer by. A circuit address (`/ip4/../tcp/../p2p/RELAY/p2p-circuit/p2p/PEER`), a
 * direct address that ends in `/p2p/PEER`, a ticket, or a bare peer id, which is looked for at the relays that this peer knows.
 */

import { isPeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { circuitAddr } from '../../src/addresses/circuit.ts'
import { endsInPeerId } from '../../src/addresses/endpoint.ts'
import { parseMultiaddr, parsePeerId } from '../../src/addresses/peer-id.ts'
import { CODE_P2P, isMultiaddr } from '@multiformats/multiaddr'
import { decodeTicket } from '../tickets/ticket.ts'
import { looksLikeTicket } from '../tickets/prefix.ts'
import { InvalidTargetError } from '../../src/errors.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A remote peer and where it may be found; `addrs` is empty where only the id is known. */
export interface Target {
  peerId: PeerId
  addrs: Multiaddr[]
  /** True if a ticket contains the addresses: a person has not chosen them. */
  isFromTicket?: boolean
}

/**
 * Reads a target.
 *
 * @throws {InvalidTargetError} if it is neither an address with a peer id nor a peer id
 */
export function parseTarget(target: string | Multiaddr | PeerId): Target {
  if (isPeerId(target)) return { peerId: target, addrs: [] }
  if (isMultiaddr(target)) return fromMultiaddr(readMultiaddr(target.toString()))
  if (target.startsWith('/')) return fromMultiaddr(readMultiaddr(target))
  if (looksLikeTicket(target)) return fromTicket(target)
  try {
    return { peerId: parsePeerId(target), addrs: [] }
  } catch (cause) {
    throw new InvalidTargetError(shortened(target), 'it is neither a multiaddr nor a peer id nor a ticket', {
      cause,
    })
  }
}

/** Reads a multiaddr, with its peer ids in base58. Throws `InvalidTargetError`. */
export function readMultiaddr(text: string): Multiaddr {
  try {
    return parseMultiaddr(text)
  } catch (cause) {
    throw new InvalidTargetError(text, (cause as Error).message, { cause })
  }
}

function fromTicket(text: string): Target {
  try {
    const { peerId, places } = decodeTicket(text)
    return { peerId, addrs: places.map(it => addrAt(it, peerId)), isFromTicket: true }
  } catch (cause) {
    throw new InvalidTargetError(`${text.slice(0, 8)}...`, (cause as Error).message, { cause })
  }
}

/** The address of a peer at a place that a ticket names: a relay, or an address of its own. */
function addrAt(place: Multiaddr, peerId: PeerId): Multiaddr {
  return endsInPeerId(place) ? circuitAddr(place, peerId) : place.encapsulate(`/p2p/${peerId}`)
}

/** Enough of a text to know it by. It may be a ticket with a mistake in it, and is to be shown. */
function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 8)}...` : text
}

function fromMultiaddr(addr: Multiaddr): Target {
  const last = addr.getComponents().at(-1)
  if (last?.code !== CODE_P2P || last.value === undefined)
    throw new InvalidTargetError(addr.toString(), "it does not end in /p2p/ and the peer's id")
  return { peerId: peerIdFromString(last.value), addrs: addr.getComponents().length > 1 ? [addr] : [] }
}
