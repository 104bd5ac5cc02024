/** `throughnat listen`: be reachable until stopped, and expose local services to remote peers. */

import { once } from 'node:events'
import { defineCommand } from '../../src/cli/command.ts'
import { relayAddrKind } from '../../src/config/addresses.ts'
import { InvalidConfigError } from '../../src/errors.ts'
import { createPeer } from '../create-peer.ts'
import { TUNNEL_PROTOCOL, tunnelHandlerOptions } from '../tunnel/protocol.ts'
import { createServices } from '../tunnel/services.ts'
import { withRelayFile, withRelayToken } from './dial.ts'
import { dataDir, relayFile, relays, relayTokenFile } from './options.ts'
import { reportPeer } from './report.ts'
import type { Command } from '../../src/cli/command.ts'
import type { Output } from '../../src/cli/output.ts'
import type { AllowRule, NamedService } from '../../src/config/services.ts'
import type { Peer } from '../peer.ts'
import type { Services, ServicesInit } from '../tunnel/services.ts'

/** After this many milliseconds without a reservation a person wants to know what is going on. */
const HINT_AFTER_MS = 10_000

export const listen: Command = defineCommand({
  name: 'listen',
  summary: 'Be reachable through relays until stopped, and expose local services',
  options: {
    relays,
    relayFile,
    reservations: {
      kind: 'integer',
      default: 2,
      min: 1,
      max: 16,
      doc: 'How many of the relays to be reachable through at once; others step in when one is lost',
    },
    relayTokenFile,
    dataDir,
    port: {
      kind: 'port',
      default: 0,
      doc: 'The TCP port to listen on and to punch from; 0 for any free one',
    },
    expose: {
      kind: 'service',
      many: true,
      optional: true,
      doc: 'A TCP service that remote peers may ask for by name; closed to everyone until --allow opens it',
    },
    allow: {
      kind: 'allow-rule',
      many: true,
      optional: true,
      doc: 'Open a service to one peer, or, said aloud, to anyone',
    },
  },
  examples: [
    'throughnat listen --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --expose web=127.0.0.1:8080 --allow web=anyone',
  ],
  run: async (config, { output, signal }) => {
    const { relays, relayFile, reservations, relayTokenFile, dataDir, port, expose, allow } = config
    if (relays.length === 0 && relayFile === undefined)
      throw new InvalidConfigError([
        {
          where: '--relay',
          what: `is missing; expected ${relayAddrKind.noun}, as in ${relayAddrKind.example}`,
        },
      ])
    const services = createServices(servicesInit(expose, allow))
    reportServices(services, output)
    const token = await withRelayToken(relayTokenFile)
    await using peer = await createPeer(
      { relays, ...withRelayFile(relayFile), reservations, dataDir, port, ...token },
      { signal },
    )
    await peer.libp2p.handle(TUNNEL_PROTOCOL, services.handle, tunnelHandlerOptions)
    announceReady(peer, output)
    reportPeer(peer, output)
    warnAboutClosed(expose, allow, output)
    const hint = setTimeout(() => {
      if (peer.addrs.every(addr => !addr.toString().includes('/p2p-circuit')))
        output.note('No relay has granted a reservation yet; still trying. Check --relay and the network.')
    }, HINT_AFTER_MS)
    try {
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      clearTimeout(hint)
      await services.stop()
    }
  },
})

/** The peer is ready when it can be reached: the first reservation makes it so, and is reported right after. */
function announceReady(peer: Peer, output: Output): void {
  peer.addEventListener(
    'reservation:granted',
    () =>
      output.event('peer:ready', { peerId: peer.peerId, addrs: peer.addrs }, `This peer is ${peer.peerId}`),
    { once: true },
  )
}

function servicesInit(expose: readonly NamedService[], allow: readonly AllowRule[]): ServicesInit {
  const rules = new Map<string, 'anyone' | Set<string>>()
  for (const { name, peer } of allow) {
    const rule = rules.get(name) ?? new Set<string>()
    if (peer === 'anyone' || rule === 'anyone') rules.set(name, 'anyone')
    else rules.set(name, rule.add(peer.toString()))
  }
  return { services: new Map(expose.map(({ name, host, port }) => [name, { host, port }])), allow: rules }
}

function warnAboutClosed(expose: readonly NamedService[], allow: readonly AllowRule[], output: Output): void {
  for (const { name } of expose)
    if (!allow.some(rule => rule.name === name))
      output.note(
        `${name} is closed to everyone: open it with --allow ${name}=PEER or --allow ${name}=anyone.`,
      )
}

function reportServices(services: Services, output: Output): void {
  services.addEventListener('service:opened', ({ detail }) =>
    output.event('service:opened', { ...detail }, `${detail.peerId} uses ${detail.service}, ${detail.path}`),
  )
  services.addEventListener('service:closed', ({ detail }) => output.event('service:closed', { ...detail }))
  services.addEventListener('service:refused', ({ detail }) =>
    output.event(
      'service:refused',
      { ...detail },
      `Refused ${detail.peerId || 'a peer'} the service "${detail.service}": ${detail.reason}`,
    ),
  )
}
