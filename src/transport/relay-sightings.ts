/**
 * Which remotes are relays to this node, learnt from the circuit addresses that pass by.
 *
 * libp2p's transport manager asks every transport whether it can listen on an address, and each in turn whether it can
 * dial one. So the address of every circuit that this node listens on or dials passes the TCP transport before the
 * relay itself is dialled (where `tcp()` is listed before `circuitRelayTransport()`), and it names the relay.
 */

import QuickLRU from 'quick-lru'
import { CODE_P2P } from '@multiformats/multiaddr'
import { parsePeerId } from '../addresses/peer-id.ts'
import { isCircuit, relayAddrOf } from '../addresses/circuit.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

// A node has a handful of relays, and meets others in the addresses of the peers that it dials. At least so many are
// remembered, the last ones; a dial to one that is forgotten leaves from an ephemeral port.
const MAX_RELAYS = 1000

/** The relays of one node. */
export class RelaySightings {
  readonly #relays = new QuickLRU<string, true>({ maxSize: MAX_RELAYS })

  /** Notes the relay that a circuit address names; other addresses are passed over. */
  note(addrs: readonly Multiaddr[]): void {
    for (const addr of addrs) {
      const relay = relayOf(addr)
      if (relay !== undefined) this.#relays.set(relay, true)
    }
  }

  /** Tells whether this address, that of no circuit, leads to a relay. */
  has(addr: Multiaddr): boolean {
    const peerId = firstPeerId(addr)
    return this.#relays.has(peerId ?? addr.toString())
  }
}

/** The relay's peer id, or its whole address where the circuit address does not tell the id. */
function relayOf(addr: Multiaddr): string | undefined {
  if (!isCircuit(addr)) return undefined
  const relay = relayAddrOf(addr)
  return firstPeerId(relay) ?? relay.toString()
}

/** In base58, whatever the form in the address. */
function firstPeerId(addr: Multiaddr): string | undefined {
  const text = addr.getComponents().find(component => component.code === CODE_P2P)?.value
  try {
    return text === undefined ? undefined : parsePeerId(text).toString()
  } catch {
    return text
  }
}
