/**
 * Peer ids as text. A peer id has several text forms (base58, or a CID in base32, base36 or base58); libp2p compares
 * text, so each is rewritten to base58 where it is read.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md#string-representation
 */

import { peerIdFromCID, peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const bases = base32.decoder.or(base36.decoder).or(base58btc.decoder)

/** The multibase prefixes of base32 and base36 in upper case (https://github.com/multiformats/multibase). */
const UPPER_CASE_CID = /^[BK][0-9A-Z]+$/

/** Longest text of a peer id, in characters: a CID of a SHA2-512 multihash in base32 has 111. Decoding base58 takes quadratic time. */
const MAX_PEER_ID = 128

/** Longest text of a multiaddr, in characters. A circuit over a named relay with two certificate hashes has about 600. */
const MAX_MULTIADDR = 1024

/**
 * Reads a peer id in any text form.
 *
 * @throws {Error} if the text is none
 */
export function parsePeerId(text: string): PeerId {
  try {
    if (text.length > MAX_PEER_ID) throw new RangeError('The text is too long')
    // a multihash in base58 begins with 1 or Q, and a CID with the letter of its base
    if (/^[1Q]/.test(text)) return peerIdFromString(text)
    return peerIdFromCID(CID.parse(UPPER_CASE_CID.test(text) ? text.toLowerCase() : text, bases))
  } catch {
    // The library's messages ("Please pass a multibase decoder") are for its callers.
    throw new Error('expected a complete peer id, which starts with 12D3KooW, 16Uiu2HA, Qm, bafz or k')
  }
}

/**
 * Reads a multiaddr. The peer ids in it come out as base58.
 *
 * @throws {Error} if the text is none, or a peer id in it is none
 */
export function parseMultiaddr(text: string): Multiaddr {
  if (text.length > MAX_MULTIADDR) throw new Error(`it is longer than ${MAX_MULTIADDR} characters`)
  return withBase58Ids(
    fromText(text.replaceAll(/(?<=\/(?:p2p|ipfs)\/)[BK][0-9A-Z]+(?=\/|$)/g, it => it.toLowerCase())),
  )
}

function fromText(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    // only the path of a socket is percent-encoded
    if (cause instanceof URIError) throw new Error('it has a % without two hexadecimal digits', { cause })
    throw cause
  }
}

/** The same address with its peer ids in base58. @throws {Error} if one is none */
export function withBase58Ids(addr: Multiaddr): Multiaddr {
  const components = addr.getComponents()
  const ids = components.map(({ code, value }) => (code === CODE_P2P ? inBase58(value ?? '') : value))
  if (components.every(({ value }, index) => value === ids[index])) return addr
  return multiaddr(components.map((component, index) => withValue(component, ids[index])))
}

type Component = ReturnType<Multiaddr['getComponents']>[number]

/** The bytes are left out: those of the former text are cached in a component. */
function withValue({ code, name }: Component, value: string | undefined): Component {
  return value === undefined ? { code, name } : { code, name, value }
}

function inBase58(text: string): string {
  try {
    return parsePeerId(text).toString()
  } catch (cause) {
    throw new Error(`${JSON.stringify(text)} in it is not a complete peer id`, { cause })
  }
}
