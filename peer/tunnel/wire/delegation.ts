/**
 * Delegation: a process acts for a peer whose identity another process of the same owner uses.
 *
 * Two nodes with one peer id would take each other's connections. So the second process has its own id, and
 * shows a signature of the first.
 *
 * Invariant: a delegation is valid for one process and one listener only, and the connection proves both ids.
 * So it is worthless to anyone who intercepts or stores it, including the listener, and needs no expiry.
 * Spec: docs/tunnel-protocol.md
 */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { parsePeerId } from '../../../src/addresses/peer-id.ts'
import type { PeerId, PrivateKey } from '@libp2p/interface'

/** The peer that a process acts for, and the proof. */
export interface Delegation {
  /** A peer id in base58 that contains its key (Ed25519, secp256k1). */
  principal: string
  /** A signature, in base64url. */
  proof: string
}

/** The two ends of the connection that a delegation is valid for. */
export interface DelegationEnds {
  delegate: PeerId
  listener: PeerId
}

/**
 * Longest signature that is checked, in base64url characters: 64 bytes (Ed25519), or up to 72 (secp256k1,
 * DER).
 */
const MAX_PROOF = 96

/** Signs that the delegate acts for this identity. */
export async function delegate(identity: PrivateKey, ends: DelegationEnds): Promise<Delegation> {
  const proof = await identity.sign(statement(ends))
  return {
    principal: peerIdFromPrivateKey(identity).toString(),
    proof: Buffer.from(proof).toString('base64url'),
  }
}

/** Resolves with the peer that the delegate acts for, in base58, or `undefined` if the proof is not valid. */
export async function principalOf(
  { principal, proof }: Delegation,
  ends: DelegationEnds,
): Promise<string | undefined> {
  if (proof.length > MAX_PROOF) return undefined
  try {
    const peerId = parsePeerId(principal)
    const { publicKey } = peerId
    const isProved = await publicKey?.verify(statement(ends), Buffer.from(proof, 'base64url'))
    return isProved === true ? peerId.toString() : undefined
  } catch {
    // not a peer id, or not a signature
    return undefined
  }
}

/**
 * The text that is signed. libp2p signs other things with the identity (records, handshakes), each with its
 * own prefix.
 */
function statement({ delegate, listener }: DelegationEnds): Uint8Array {
  return Buffer.from(`throughnat tunnel delegation:${delegate}:${listener}`)
}
