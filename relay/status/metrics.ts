/**
 * The metrics of a relay, for Prometheus. The names are those of go-libp2p
 * (p2p/protocol/circuitv2/relay/metrics.go), and a few more of the same form.
 *
 * The values of `type` are go-libp2p's too. Those of `status` and `reason` are more detailed: every status by
 * its name, where go-libp2p has ok, rejected and error, and every reason of {@link RelayEvents}. Bytes have a
 * label `direction`.
 */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { TypedEventTarget } from 'main-event'
import type { RelayEvents } from '../events.ts'

const PREFIX = 'libp2p_relaysvc_'

/**
 * Upper bounds of the buckets for the duration of circuits, in seconds: from a punch that succeeds
 * immediately to one day.
 */
const DURATION_BUCKETS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 1800, 3600, 14_400, 86_400]

/** The values of the gauges, read at each scrape. */
export interface MetricsSource extends Pick<TypedEventTarget<RelayEvents>, 'addEventListener'> {
  readonly isDraining: boolean
  readonly reservations: { readonly size: number }
  readonly circuits: number
  readonly connections: number
  readonly bytesTransferred: { readonly toResponder: number; readonly toInitiator: number }
}

/** Makes the metrics of one relay. Counters count from this call on. */
export function createMetrics(relay: MetricsSource): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addGauges(relay, registry)
  addBytes(relay, registry)
  countReservations(relay, registry)
  countCircuits(relay, registry)
  countAnswers(relay, registry)
  return registry
}

function addGauges(relay: MetricsSource, registry: Registry): void {
  const gauges = {
    status: [
      '1 while the relay accepts reservations and circuits, 0 while it drains',
      () => (relay.isDraining ? 0 : 1),
    ],
    reservations: ['Peers that have a reservation', () => relay.reservations.size],
    circuits: ['Circuits that are open or being opened', () => relay.circuits],
    connections: ['Connections of peers, with and without a reservation', () => relay.connections],
  } as const
  for (const [name, [help, read]] of Object.entries(gauges)) {
    new Gauge({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
}

/** Circuits count their own bytes. At each scrape the counter adds the increase since the last one. */
function addBytes(relay: MetricsSource, registry: Registry): void {
  let before = { toResponder: 0, toInitiator: 0 }
  const total = new Counter({
    name: `${PREFIX}data_transferred_bytes_total`,
    help: 'Bytes that circuits have carried, by direction',
    labelNames: ['direction'],
    registers: [registry],
    collect() {
      const now = relay.bytesTransferred
      this.inc({ direction: 'to_responder' }, Math.max(0, now.toResponder - before.toResponder))
      this.inc({ direction: 'to_initiator' }, Math.max(0, now.toInitiator - before.toInitiator))
      before = { ...now }
    },
  })
  total.inc({ direction: 'to_responder' }, 0)
}

function countReservations(relay: MetricsSource, registry: Registry): void {
  const total = counter(registry, 'reservations_total', 'Reservations opened, renewed and closed', 'type')
  const rejected = counter(registry, 'reservation_rejections_total', 'Refused reservations', 'reason')
  for (const type of ['opened', 'renewed', 'closed']) total.inc({ type }, 0)
  relay.addEventListener('reservation:granted', ({ detail }) =>
    total.inc({ type: detail.isRefresh ? 'renewed' : 'opened' }),
  )
  relay.addEventListener('reservation:ended', () => total.inc({ type: 'closed' }))
  relay.addEventListener('reservation:refused', ({ detail }) => rejected.inc({ reason: detail.reason }))
}

function countCircuits(relay: MetricsSource, registry: Registry): void {
  const total = counter(registry, 'connections_total', 'Circuits opened and closed', 'type')
  const rejected = counter(registry, 'connection_rejections_total', 'Refused circuits', 'reason')
  const ended = counter(registry, 'connection_ends_total', 'Circuits that ended', 'reason')
  const duration = new Histogram({
    name: `${PREFIX}connection_duration_seconds`,
    help: 'How long circuits lasted',
    buckets: DURATION_BUCKETS,
    registers: [registry],
  })
  for (const type of ['opened', 'closed']) total.inc({ type }, 0)
  relay.addEventListener('circuit:opened', () => total.inc({ type: 'opened' }))
  relay.addEventListener('circuit:closed', ({ detail: { reason, durationMs } }) => {
    total.inc({ type: 'closed' })
    ended.inc({ reason })
    duration.observe(durationMs / 1000)
  })
  relay.addEventListener('circuit:refused', ({ detail }) => rejected.inc({ reason: detail.reason }))
}

function countAnswers(relay: MetricsSource, registry: Registry): void {
  const help = 'How requests were answered, by status of circuit-v2'
  const byRequest = {
    reserve: counter(registry, 'reservation_request_response_status_total', help, 'status'),
    connect: counter(registry, 'connection_request_response_status_total', help, 'status'),
    unknown: counter(registry, 'unknown_request_response_status_total', help, 'status'),
  }
  relay.addEventListener('request:answered', ({ detail: { request, status } }) =>
    byRequest[request].inc({ status }),
  )
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  label: Label,
): Counter<Label> {
  return new Counter({ name: PREFIX + name, help, labelNames: [label], registers: [registry] })
}
