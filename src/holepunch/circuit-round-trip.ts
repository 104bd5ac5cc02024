/**
 * The round trip over a circuit, as the side that accepted it saw it in the handshake: from what this side sent to what
 * the remote answered. DCUtR needs the round trip before the SYNC, and measuring it in the exchange takes another one.
 */

import { isCircuit } from '../addresses/circuit.ts'
import { shapeCheck } from '../patches/expect-shape.ts'
import type { Connection, MultiaddrConnection, Upgrader } from '@libp2p/interface'

/** What a connection has in common with the socket, or the circuit's stream, below it. */
type Timeline = Connection['timeline']

// a listener of `message` would keep what is received from the handshake
const assertShape = shapeCheck('@libp2p/utils', { onData: 'function', send: 'function' })
const assertUpgraderShape = shapeCheck('libp2p', { upgradeInbound: 'function' })

const longest = new WeakMap<Timeline, number>()
const measured = new WeakSet<Upgrader>()

/**
 * Measures every circuit that this node accepts from now on. A second call for the same node does nothing.
 *
 * @throws {UpstreamChangedError}
 */
export function measureCircuits(upgrader: Upgrader): void {
  if (measured.has(upgrader)) return
  assertUpgraderShape(upgrader)
  measured.add(upgrader)
  const upgradeInbound = upgrader.upgradeInbound.bind(upgrader)
  upgrader.upgradeInbound = async (socket, options) => {
    if (!isCircuit(socket.remoteAddr)) return upgradeInbound(socket, options)
    const stop = measure(socket)
    return upgradeInbound(socket, options).finally(stop)
  }
}

/** The round trip over a new circuit that this node has accepted, in milliseconds; undefined if it was not measured. */
export function roundTripOf(circuit: Connection): number | undefined {
  return longest.get(circuit.timeline)
}

/**
 * Takes the longest time from the last that was sent to the next that is received. Shorter ones are of messages that
 * were under way already. Returns the function that ends it.
 */
function measure(socket: MultiaddrConnection): () => void {
  assertShape(socket)
  const own = socket as MultiaddrConnection & { onData(data: unknown): void }
  const send = own.send.bind(own)
  const onData = own.onData.bind(own)
  let isOver = false
  let sentAt: number | undefined
  own.send = data => {
    if (!isOver) sentAt = performance.now()
    return send(data)
  }
  own.onData = data => {
    if (!isOver && sentAt !== undefined) {
      const rttMs = performance.now() - sentAt
      longest.set(own.timeline, Math.max(longest.get(own.timeline) ?? 0, rttMs))
      sentAt = undefined
    }
    onData(data)
  }
  return () => {
    isOver = true
  }
}
