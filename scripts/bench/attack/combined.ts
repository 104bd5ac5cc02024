/**
 * All attacks at one relay and one peer together, at the rates at which each was first found. Not among them are those that loopback cannot show:
 * candidates for punches are never loopback addresses (test/lab has those), and hostile targets, tickets and names harm the one who dials.
 */

import type { Order, Orders } from './attacker.ts'

/** How long they last. */
const SECONDS = 20

/** What is left open ends a little later than it began. */
const END_SECONDS = 2

const KIB = 1024

/** Where the attackers go. */
export interface Targets {
  relay: {
    readonly addr: string
    readonly port: number
    readonly webSocketPort: number
    readonly statusPort: number
  }
  /** `addr` is a circuit address, `ownAddr` that of its own port. */
  peer: { readonly addr: string; readonly ownAddr: string; readonly port: number }
}

/** Orders for all of them. */
export function combined({ relay, peer }: Targets, seconds: number = SECONDS): Orders {
  const circuits = { relay: relay.addr, target: peer.addr, seconds }
  const length = { bytes: 250 * KIB }
  const flood = { mib: 4, reads: true }
  const eachSecond: Order[] = [
    ['drip', { port: relay.port, kibPerSecond: 200, seconds }],
    ['drip', { port: peer.port, kibPerSecond: 200, seconds }],
    ['newSockets', { port: relay.port, perSecond: 100, seconds }],
    ['silentSockets', { port: peer.port, count: 70, seconds }],
    ['halfRequests', { port: relay.webSocketPort, count: 110, seconds }],
    ['halfRequests', { port: relay.statusPort, count: 64, seconds }],
    ['lockOut', { ...circuits, ids: 5, each: 62 }],
    ['holdCircuits', { ...circuits, ids: 4, each: 4 }],
    ['silentCircuits', { ...circuits, perSecond: 50 }],
    ['slowReservations', { addr: relay.addr, count: 256, seconds, pauseMs: 3_000 }],
    ['streamLength', { addr: relay.addr, ...length, protocol: 'none' }],
    ['streamLength', { addr: peer.ownAddr, ...length, protocol: 'stop' }],
    ['identifyAnswer', { addr: peer.ownAddr, ...length }],
    ['answerOwnStream', { addr: peer.ownAddr, ...length }],
    ['fatIdentities', { addr: peer.ownAddr, count: 1 }],
    ['floodFrames', { addr: relay.addr, frame: 'ping', ...flood }],
    ['floodFrames', { addr: relay.addr, frame: 'synrst', ...flood }],
    ['floodFrames', { addr: peer.ownAddr, frame: 'ping', ...flood }],
  ]
  const silent: Order = ['silentStreams', { addr: peer.ownAddr, peers: 2, count: 1024, seconds }]
  return {
    once: [],
    again: [...eachSecond.map(order => ({ order, everyMs: 1_000 })), { order: silent, everyMs: 10_000 }],
    seconds: seconds + END_SECONDS,
  }
}
