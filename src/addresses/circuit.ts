/** Addresses of relays, and those that lead through one: `RELAY/p2p-circuit/p2p/PEER`. */

import { CODE_P2P, CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import { InvalidTargetError } from '../errors.ts'
import { parsePeerId } from './peer-id.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** True for an address that leads through a relay. */
export function isCircuit(addr: Multiaddr): boolean {
  return addr.getComponents().some(it => it.code === CODE_P2P_CIRCUIT)
}

/** The address of a peer behind a relay, whose own address ends in its peer id. */
export function circuitAddr(relay: Multiaddr, peerId: PeerId): Multiaddr {
  return relay.encapsulate(`/p2p-circuit/p2p/${peerId}`)
}

/** The address of the relay that a circuit goes through. */
export function relayAddrOf(circuit: Multiaddr): Multiaddr {
  return circuit.decapsulateCode(CODE_P2P_CIRCUIT)
}

/** The peer id at the end of a relay's address. Throws `InvalidTargetError` if there is none. */
export function relayIdOf(relay: Multiaddr): PeerId {
  const last = relay.getComponents().at(-1)
  if (last?.code !== CODE_P2P || last.value === undefined || isCircuit(relay))
    throw new InvalidTargetError(relay.toString(), "a relay's address ends in /p2p/ and the relay's peer id")
  try {
    return parsePeerId(last.value)
  } catch (cause) {
    throw new InvalidTargetError(relay.toString(), (cause as Error).message, { cause })
  }
}

/** The last peer id in an address; empty if there is none. */
export function lastPeerId(addr: Multiaddr): string {
  return addr.getComponents().findLast(it => it.code === CODE_P2P)?.value ?? ''
}
