/** What a peer does, for Prometheus: counted from its events, and read from it when asked. */

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { PeerEvents } from '../node/events.ts'
import type { Peer } from '../node/peer.ts'

const PREFIX = 'throughnat_peer_'

/** Upper bounds of the buckets for how long an upgrade takes, in seconds: from a punch on one continent to three attempts that time out. */
const UPGRADE_BUCKETS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]

const RELAY_STATES = ['standby', 'connecting', 'reserving', 'held', 'waiting'] as const
const PATHS = ['relayed', 'direct'] as const

/**
 * The metrics of one peer, from now on; call it right after `createPeer`. No label holds an id or an address, so that what is kept does not
 * grow with the peers that are met.
 *
 * @param registry - where they are added; a new one unless told
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
    help: 'Relays that this peer knows, by how it stands with them',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const state of RELAY_STATES)
        this.set({ state }, peer.relays.filter(it => it.state === state).length)
    },
  })
  const changes = counter(registry, 'relay_state_changes_total', 'Changes of that, by the new state', 'state')
  peer.addEventListener('relay:state', ({ detail: { state } }) => changes.inc({ state }))
}

function addPaths(peer: Peer, registry: Registry): void {
  const pathTo = new Map<string, string>()
  new Gauge({
    name: `${PREFIX}remote_peers`,
    help: 'Remote peers that are connected, by path',
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
    'Remote peers that were connected, by path',
    'path',
  )
  const changes = counter(registry, 'path_changes_total', 'Changes of a path, by the new one', 'path')
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
  const failed = counter(registry, 'reservation_failures_total', 'Attempts to reserve that failed')
  peer.addEventListener('reservation:granted', () => granted.inc())
  peer.addEventListener('reservation:lost', ({ detail: { reason } }) => lost.inc({ reason }))
  peer.addEventListener('reservation:failed', () => failed.inc())
}

function countUpgrades(peer: Peer, registry: Registry): void {
  const started = counter(registry, 'holepunches_started_total', 'Upgrades begun, by role', 'role')
  const attempts = counter(registry, 'holepunch_attempts_total', 'Punches, by role', 'role')
  const failed = counter(registry, 'holepunches_failed_total', 'Upgrades that failed', 'reason')
  const duration = new Histogram({
    name: `${PREFIX}holepunch_duration_seconds`,
    help: 'How long upgrades took that succeeded',
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
    'The list of relays changed, or could not be read',
    'type',
  )
  const mappings = counter(registry, 'port_mappings_total', 'What became of port mappings', 'type')
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
