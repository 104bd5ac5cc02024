/** Refuses connections before they cost anything. */

import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { SocketSlot, SocketSlots } from './socket-slots.ts'

/** A connection gater that gives each connection a slot. */
export class RelayConnectionGater implements ConnectionGater {
  readonly #slots: SocketSlots
  readonly #held = new WeakMap<MultiaddrConnection, SocketSlot>()

  constructor(slots: SocketSlots) {
    this.#slots = slots
  }

  /** Notes the slot of a connection whose socket got one when it was accepted. */
  hold(connection: MultiaddrConnection, slot: SocketSlot): void {
    this.#held.set(connection, slot)
  }

  denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    return !this.#held.has(connection) && !this.#take(connection)
  }

  denyInboundUpgradedConnection = (peerId: PeerId, connection: MultiaddrConnection): boolean => {
    const slot = this.#held.get(connection)
    if (slot !== undefined) this.#slots.identify(slot, peerId)
    return false
  }

  #take(connection: MultiaddrConnection): boolean {
    const slot = this.#slots.take(connection.remoteAddr, () =>
      connection.abort(new Error('The relay needs the place of this connection for another one')),
    )
    if (slot === undefined) return false
    this.hold(connection, slot)
    connection.addEventListener('close', () => slot.release(), { once: true })
    return true
  }
}
