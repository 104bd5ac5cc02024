/** `throughnat-relay`: run a relay until stopped. */

import { once } from 'node:events'
import { defineCommand } from '../src/cli/command.ts'
import { limitOptions } from './limit-options.ts'
import { createRelay, relayDefaults } from './relay.ts'
import type { Command } from '../src/cli/command.ts'
import type { Output } from '../src/cli/output.ts'
import type { Relay } from './relay.ts'
import type { RelayEvents } from './events.ts'

type Sentence<Name extends keyof RelayEvents> = (detail: RelayEvents[Name]['detail']) => string

/** The events that are printed; how each request was answered is for the metrics. */
type PrintedEvents = Omit<RelayEvents, 'request:answered'>

const sentences: { [Name in keyof PrintedEvents]: Sentence<Name> } = {
  'reservation:granted': ({ peerId, expiresAt, isRefresh }) =>
    `${isRefresh ? 'Refreshed the reservation of' : 'Reservation for'} ${peerId} until ${expiresAt.toISOString()}`,
  'reservation:refused': ({ peerId, remoteAddr, reason, rule }) =>
    `Refused a reservation to ${peerId} at ${remoteAddr}: ${rule ?? reason}`,
  'reservation:ended': ({ peerId, reason }) => `Reservation of ${peerId} ended: ${reason}`,
  'circuit:opened': ({ initiator, responder }) => `Circuit from ${initiator} to ${responder}`,
  'circuit:refused': ({ initiator, responder, reason, rule }) =>
    `Refused a circuit from ${initiator} to ${responder}: ${rule ?? reason}`,
  'circuit:closed': ({ initiator, responder, reason, bytesToInitiator, bytesToResponder, durationMs }) =>
    `Circuit from ${initiator} to ${responder} ${reason}: ${bytesToResponder} bytes there, ` +
    `${bytesToInitiator} back, ${(durationMs / 1000).toFixed(1)} s`,
}

/** The program's only command. */
export const relayCommand: Command = defineCommand({
  name: 'throughnat-relay',
  summary: 'Run a relay: a public node through which peers behind NATs are reached',
  options: {
    listen: {
      kind: 'multiaddr',
      many: true,
      default: relayDefaults.listen,
      placeholder: 'MA',
      doc: 'Where to listen; may be given several times',
    },
    announce: {
      kind: 'multiaddr',
      many: true,
      optional: true,
      placeholder: 'MA',
      doc: 'The addresses to tell peers, where they are not those of the network interfaces',
    },
    dataDir: {
      kind: 'path',
      default: '~/.local/share/throughnat-relay',
      placeholder: 'DIR',
      doc: 'The directory that keeps the identity; created if it does not exist',
    },
    reservationTtlMs: {
      kind: 'duration',
      default: '1h',
      min: '1m',
      doc: 'How long a reservation lasts unless it is refreshed',
    },
    ...limitOptions,
  },
  examples: [
    'throughnat-relay',
    'throughnat-relay --listen /ip4/0.0.0.0/tcp/443 --announce /ip4/192.0.2.1/tcp/443 --data-dir /var/lib/throughnat-relay',
  ],
  run: async ({ listen, announce, ...rest }, { output, signal }) => {
    const addrs = { listen: listen.map(String), announce: announce.map(String) }
    await using relay = await createRelay({ ...addrs, ...rest }, { signal })
    output.event(
      'relay:ready',
      { peerId: relay.peerId, addrs: relay.addrs },
      `Relay ${relay.peerId} is ready at`,
    )
    for (const addr of relay.addrs) if (!output.json) output.text(`  ${addr}\n`)
    for (const name of Object.keys(sentences) as Array<keyof PrintedEvents>) report(relay, output, name)
    if (!signal.aborted) await once(signal, 'abort')
  },
})

function report<Name extends keyof PrintedEvents>(relay: Relay, output: Output, name: Name): void {
  relay.addEventListener(name, event => {
    const { detail } = event as CustomEvent<RelayEvents[Name]['detail']>
    output.event(name, { ...detail }, (sentences[name] as Sentence<Name>)(detail))
  })
}
