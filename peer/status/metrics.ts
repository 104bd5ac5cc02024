/**
 * The metrics of a peer, for Prometheus: counted from its events, and read from it at each scrape.
 *
 * Invariant: no label contains an id or an address, so memory does not grow with the number of remote peers.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { PeerEvents } from '../node/events.ts'
import type { Peer } from '../node/peer.ts'

const PREFIX = 'throughnat_peer_'

/**
 * Upper bounds of the buckets for the duration of upgrades, in seconds: from a punch within one continent to
 * three attempts that time out.
 */
const UPGRADE_BUCKETS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]

const RELAY_STATES = ['standby', 'connecting', 'reserving', 'held', 'waiting'] as const
const PATHS = ['relayed', 'direct'] as const

/**
 * Creates the metrics of one peer. They count from this call on, so call it right after `createPeer`.
 *
 * No label contains an id or an address, so memory does not grow with the number of remote peers.
 *
 * @param registry - the registry to add them to; by default a new one
 */
export function createMetrics(peer: Peer, registry: Registry = new Registry()): Registry {
  addRelays(peer, registry)
  addPaths(peer, registry)
  countReservations(peer, registry)
  countUpgrades(peer, registry)
  countChanges(peer, registry)
  return registry
}

function addRelays(peer: Peer, registry: Registry): void {
  new Gauge({
    name: `${PREFIX}relays`,
    help: 'Relays that this peer knows, by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const state of RELAY_STATES)
        this.set({ state }, peer.relays.filter(it => it.state === state).length)
    },
  })
  const changes = counter(
    registry,
    'relay_state_changes_total',
    'State changes of relays, by the new state',
    'state',
  )
  peer.addEventListener('relay:state', ({ detail: { state } }) => changes.inc({ state }))
}

function addPaths(peer: Peer, registry: Registry): void {
  const pathTo = new Map<string, string>()
  new Gauge({
    name: `${PREFIX}remote_peers`,
    help: 'Connected remote peers, by path',
    labelNames: ['path'],
    registers: [registry],
    collect() {
      const paths = [...pathTo.values()]
      for (const path of PATHS) this.set({ path }, paths.filter(it => it === path).length)
    },
  })
  const connected = counter(
    registry,
    'remote_peers_total',
    'Connections of remote peers, by their first path',
    'path',
  )
  const changes = counter(registry, 'path_changes_total', 'Path changes, by the new path', 'path')
  peer.addEventListener('peer:connected', ({ detail: { peerId, path } }) => {
    pathTo.set(peerId.toString(), path)
    connected.inc({ path })
  })
  peer.addEventListener('path:changed', ({ detail: { peerId, path } }) => {
    pathTo.set(peerId.toString(), path)
    changes.inc({ path })
  })
  peer.addEventListener('peer:disconnected', ({ detail: { peerId } }) => pathTo.delete(peerId.toString()))
}

function countReservations(peer: Peer, registry: Registry): void {
  const granted = counter(registry, 'reservations_total', 'Reservations granted')
  const lost = counter(registry, 'reservations_lost_total', 'Reservations lost', 'reason')
  const failed = counter(registry, 'reservation_failures_total', 'Failed attempts to reserve')
  peer.addEventListener('reservation:granted', () => granted.inc())
  peer.addEventListener('reservation:lost', ({ detail: { reason } }) => lost.inc({ reason }))
  peer.addEventListener('reservation:failed', () => failed.inc())
}

function countUpgrades(peer: Peer, registry: Registry): void {
  const started = counter(registry, 'holepunches_started_total', 'Upgrades started, by role', 'role')
  const attempts = counter(registry, 'holepunch_attempts_total', 'Punch attempts, by role', 'role')
  const failed = counter(registry, 'holepunches_failed_total', 'Upgrades that failed', 'reason')
  const duration = new Histogram({
    name: `${PREFIX}holepunch_duration_seconds`,
    help: 'Duration of successful upgrades',
    buckets: UPGRADE_BUCKETS,
    registers: [registry],
  })
  peer.addEventListener('holepunch:started', ({ detail: { role } }) => started.inc({ role }))
  peer.addEventListener('holepunch:attempt', ({ detail: { role } }) => attempts.inc({ role }))
  peer.addEventListener('holepunch:failed', ({ detail: { reason } }) => failed.inc({ reason }))
  peer.addEventListener('holepunch:succeeded', ({ detail }) => duration.observe(detail.elapsedMs / 1_000))
}

const MAPPING_EVENTS = ['mapping:added', 'mapping:verified', 'mapping:lost', 'mapping:failed'] as const

function countChanges(peer: Peer, registry: Registry): void {
  const network = counter(registry, 'network_changes_total', 'Changes of the network', 'change')
  const list = counter(
    registry,
    'relay_lists_total',
    'Changes of the relay list, and failures to read it',
    'type',
  )
  const mappings = counter(registry, 'port_mappings_total', 'Events of port mappings', 'type')
  peer.addEventListener('network:changed', ({ detail: { change } }) => network.inc({ change }))
  for (const event of ['relays:changed', 'relays:failed'] as const) countEvent(peer, event, list)
  for (const event of MAPPING_EVENTS) countEvent(peer, event, mappings)
  const storage = counter(
    registry,
    'storage_changes_total',
    'The data directory failed, or recovered',
    'type',
  )
  for (const event of ['storage:failed', 'storage:recovered'] as const) countEvent(peer, event, storage)
  const dropped = counter(registry, 'storage_dropped_total', 'Records that were never written')
  peer.addEventListener('storage:recovered', ({ detail }) => dropped.inc(detail.dropped))
}

/** Counts an event by the second part of its name. */
function countEvent(peer: Peer, event: keyof PeerEvents, counted: Counter<'type'>): void {
  const type = event.slice(event.indexOf(':') + 1)
  counted.inc({ type }, 0)
  peer.addEventListener(event, () => counted.inc({ type }))
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  ...labelNames: Label[]
): Counter<Label> {
  return new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] })
}
