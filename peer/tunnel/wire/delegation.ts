/**
 * Delegation: a process acts for a peer whose identity another process of the same owner is using. Two nodes of one peer id would take each other's connections, so that
 * the second has an id of its own, and shows a signature by the first.
 *
 * The invariant: it is good for that one process and that one listener, which both are proved by the connection that it comes over. So it is worth nothing to whoever
 * overhears or stores it, the listener included, and needs no end.
 * Spec: docs/tunnel-protocol.md
 */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { parsePeerId } from '../../../src/addresses/peer-id.ts'
import type { PeerId, PrivateKey } from '@libp2p/interface'

/** Who a process acts for, and the proof. */
export interface Delegation {
  /** A peer id in base58, whose key is in the id (Ed25519, secp256k1). */
  principal: string
  /** A signature, in base64url. */
  proof: string
}

/** The two ends of the connection that a delegation is shown on. */
export interface DelegationEnds {
  delegate: PeerId
  listener: PeerId
}

/** Longest signature that is looked at, in characters of base64url: 64 bytes (Ed25519), and up to 72 (secp256k1, DER). */
const MAX_PROOF = 96

/** Says that the delegate acts for this identity. */
export async function delegate(identity: PrivateKey, ends: DelegationEnds): Promise<Delegation> {
  const proof = await identity.sign(statement(ends))
  return {
    principal: peerIdFromPrivateKey(identity).toString(),
    proof: Buffer.from(proof).toString('base64url'),
  }
}

/** Whom the delegate acts for, in base58; undefined if that is not proved. */
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
    // no peer id, or no signature
    return undefined
  }
}

/** What is signed. The identity signs other things in libp2p (records, handshakes), each behind a prefix of its own. */
function statement({ delegate, listener }: DelegationEnds): Uint8Array {
  return Buffer.from(`throughnat tunnel delegation:${delegate}:${listener}`)
}
