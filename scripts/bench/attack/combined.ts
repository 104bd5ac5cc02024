/**
 * All attacks at one relay and one peer together, at the rates at which each was first found. Not among them are those that loopback cannot show:
 * candidates for punches are never loopback addresses (test/lab has those), and hostile targets, tickets and names harm the one who dials.
 */

import type { Orders } from './attacker.ts'
import type { Scene } from './attacks.ts'

/** How long they last. */
const SECONDS = 20

const KIB = 1024

/** Orders for all of them. */
export function combined({ relay, peer }: Scene): Orders {
  const circuits = { relay: relay.addr, target: peer.addr, seconds: SECONDS }
  const length = { bytes: 250 * KIB }
  const flood = { mib: 4, reads: true }
  return {
    seconds: SECONDS,
    together: [
      ['drip', { port: relay.port, kibPerSecond: 200, seconds: SECONDS }],
      ['drip', { port: peer.port, kibPerSecond: 200, seconds: SECONDS }],
      ['newSockets', { port: relay.port, perSecond: 100, seconds: SECONDS }],
      ['silentSockets', { port: peer.port, count: 70, seconds: SECONDS }],
      ['halfRequests', { port: relay.webSocketPort, count: 110, seconds: SECONDS }],
      ['halfRequests', { port: relay.statusPort, count: 64, seconds: SECONDS }],
      ['lockOut', { ...circuits, ids: 5, each: 62 }],
      ['holdCircuits', { ...circuits, ids: 4, each: 4 }],
      ['silentCircuits', { ...circuits, perSecond: 50 }],
      ['slowReservations', { addr: relay.addr, count: 256, seconds: SECONDS, pauseMs: 3_000 }],
    ],
    again: [
      { everyMs: 1_000, order: ['streamLength', { addr: relay.addr, ...length, protocol: 'none' }] },
      { everyMs: 1_000, order: ['streamLength', { addr: peer.ownAddr, ...length, protocol: 'stop' }] },
      { everyMs: 1_000, order: ['identifyAnswer', { addr: peer.ownAddr, ...length }] },
      { everyMs: 1_000, order: ['answerOwnStream', { addr: peer.ownAddr, ...length }] },
      { everyMs: 1_000, order: ['fatIdentities', { addr: peer.ownAddr, count: 1 }] },
      { everyMs: 1_000, order: ['floodFrames', { addr: relay.addr, frame: 'ping', ...flood }] },
      { everyMs: 1_000, order: ['floodFrames', { addr: relay.addr, frame: 'synrst', ...flood }] },
      { everyMs: 1_000, order: ['floodFrames', { addr: peer.ownAddr, frame: 'ping', ...flood }] },
      {
        everyMs: 10_000,
        order: ['silentStreams', { addr: peer.ownAddr, peers: 2, count: 1024, seconds: SECONDS }],
      },
    ],
  }
}
