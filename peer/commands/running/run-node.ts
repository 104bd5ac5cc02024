/** Runs a node until it is stopped: reachable through relays, with its services and forwards. */

import { once } from 'node:events'
import { isCircuit } from '../../../src/addresses/circuit.ts'
import { relayAddrKind } from '../../../src/config/kinds/address-kinds.ts'
import { InvalidConfigError } from '../../../src/errors.ts'
import { createPeer } from '../../node/create-peer.ts'
import { readNames } from '../../connections/names.ts'
import { NodeStatus } from '../../status/node-status.ts'
import { openTickets } from '../../tickets/database.ts'
import { LocalOffice } from '../../tickets/ticket-issuer.ts'
import { ticketRoutes } from '../../tickets/routes.ts'
import { TUNNEL_PROTOCOL, tunnelHandlerOptions } from '../../tunnel/wire/protocol.ts'
import { createServices } from '../../tunnel/listener/services.ts'
import { startControl } from './control.ts'
import { withRelayFile, withRelayToken, withLogger } from './dial.ts'
import { exposedServices, exposureOf, reportServices, warnAboutClosed } from '../options/exposing.ts'
import { startForwards } from './forwards.ts'
import { reportPeer } from './report.ts'
import { warnAboutClock } from '../../../src/cli/runtime/wrong-clock.ts'
import type { CommandContext } from '../../../src/cli/command.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { Resolved } from '../../../src/config/options.ts'
import type { Routes } from '../../control/server.ts'
import type { PeerRank } from '../../limits/rank.ts'
import type { Peer } from '../../node/peer.ts'
import type { Services } from '../../tunnel/listener/services.ts'
import type { nodeOptions } from '../options/node-options.ts'
import type { ForwardRule } from '../options/forward-rule.ts'

/** After this time without a reservation the node prints a hint, in milliseconds. */
const HINT_AFTER_MS = 10_000

/**
 * How long a new ticket waits for the first reservation, in milliseconds: less than the command waits for its
 * answer.
 */
const STARTING_MS = 5_000

/** Runs the node until `context.signal` fires. */
export async function runNode(
  config: Resolved<typeof nodeOptions>,
  context: CommandContext<typeof nodeOptions>,
  { rules = [], isStrict = false }: { rules?: readonly ForwardRule[]; isStrict?: boolean } = {},
): Promise<void> {
  const { relays, relayFile, reservations, relayTokenFile, dataDir, port } = config
  const { output, signal, onReload } = context
  // a node that only forwards needs no reservation: it finds others by their addresses or tickets
  const reserve = config.expose.length > 0 || rules.length === 0
  if (reserve) assertRelays(relays, relayFile)
  const warn = (text: string): void => output.note(text)
  const names = await readNames(config.names, warn)
  const exposure = await exposureOf(config, names)
  const token = await withRelayToken(relayTokenFile, warn)
  let services: Services | undefined
  const rankOf = (peerId: string): PeerRank => services?.rankOf(peerId) ?? 'stranger'
  await using peer = await createPeer(
    {
      relays,
      ...withRelayFile(relayFile),
      reservations,
      reserve,
      dataDir,
      port,
      rankOf,
      ...token,
      ...withLogger(),
    },
    { signal },
  )
  // before the first await, so that no event is missed
  reportPeer(peer, output)
  const status = new NodeStatus(peer, names)
  status.services = exposedServices(exposure)
  await using tickets = await openTickets(dataDir)
  services = createServices({
    ...exposure,
    tickets,
    peerId: peer.peerId,
    onCarry: ({ peerId, service }, traffic) => {
      const ends = [status.byPeer.open(peerId, traffic), status.byService.open(service, traffic)]
      return () => ends.forEach(end => end())
    },
  })
  try {
    reportServices(services, output)
    await peer.libp2p.handle(TUNNEL_PROTOCOL, services.handle, tunnelHandlerOptions)
    warnAboutClosed(exposure, output)
    warnAboutClock(output, 'Certificates of relays look as if they were not valid yet.')
    onReload(async renewed => {
      const names = await readNames(renewed.names, warn)
      const exposure = await exposureOf(renewed, names)
      const { relayToken } = await withRelayToken(renewed.relayTokenFile, warn)
      peer.replaceRelayToken(relayToken)
      services.replace(exposure)
      Object.assign(status, { names, services: exposedServices(exposure) })
      output.event('config:reloaded', {}, 'Services, rules and the relay token were read again.')
      if (!reserve && renewed.expose.length > 0)
        output.note(
          'This node started without services, so it has no reservation. Restart it to make it reachable.',
        )
    })
    const office = new LocalOffice({
      book: tickets,
      peerId: peer.peerId,
      addrs: async () => addrsOf(peer, reserve, signal),
      services,
    })
    const routes: Routes = { 'GET /status': async () => status.snapshot({ signal }), ...ticketRoutes(office) }
    await using _control = await startControl(dataDir, routes, output)
    await using _forwards = await startForwards(peer, rules, isStrict, { ...context, names, status })
    await runUntilStopped(peer, reserve, output, signal)
  } finally {
    await services.stop()
  }
}

/** The addresses of the peer. A node that has just started waits for its first reservation. */
async function addrsOf(peer: Peer, reserve: boolean, signal: AbortSignal): Promise<Peer['addrs']> {
  const timeout = AbortSignal.timeout(STARTING_MS)
  if (reserve) await peer.reachable({ signal: AbortSignal.any([signal, timeout]) }).catch(() => {})
  return peer.addrs
}

function assertRelays(relays: readonly unknown[], relayFile: string | undefined): void {
  if (relays.length > 0 || relayFile !== undefined) return
  const what = `missing; expected ${relayAddrKind.noun}, as in ${relayAddrKind.example}`
  throw new InvalidConfigError([{ where: '--relay', what }])
}

/** Reports that the peer is ready when it is reachable and the control socket answers. */
async function runUntilStopped(
  peer: Peer,
  reserve: boolean,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const hint = setTimeout(() => {
    if (reserve && !peer.addrs.some(isCircuit))
      output.note('No relay has granted a reservation yet. Still trying. Check --relay and the network.')
  }, HINT_AFTER_MS)
  try {
    if (reserve) await peer.reachable({ signal })
    output.event('peer:ready', { peerId: peer.peerId, addrs: peer.addrs }, `This peer is ${peer.peerId}`)
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    clearTimeout(hint)
  }
}
