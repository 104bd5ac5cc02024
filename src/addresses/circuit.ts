/** Addresses that lead through a relay: `RELAY/p2p-circuit/p2p/PEER`. */

import { CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

/** True for an address that leads through a relay. */
export function isCircuit(addr: Multiaddr): boolean {
  return addr.getComponents().some(it => it.code === CODE_P2P_CIRCUIT)
}

/** The address of the relay that a circuit goes through. */
export function relayAddrOf(circuit: Multiaddr): Multiaddr {
  return circuit.decapsulateCode(CODE_P2P_CIRCUIT)
}
