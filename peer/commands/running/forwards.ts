/**
 * Forwards, as commands run them. A forward listens immediately. It connects to its peer for the first
 * connection, and again after a loss.
 */

import { parseTarget } from '../../connections/target.ts'
import { delegate } from '../../tunnel/wire/delegation.ts'
import { forwardLocal } from '../../tunnel/dialer/forward.ts'
import { keepStarting } from './keep-starting.ts'
import { readDestination, serviceOf } from '../options/destination.ts'
import { printHostPort } from '../../../src/config/kinds/address-kinds.ts'
import { systemCodeOf } from '../../../src/failures/system-errors.ts'
import type { PeerId } from '@libp2p/interface'
import type { HostPort } from '../../../src/config/kinds/address-kinds.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { PeerConnection } from '../../connections/connection.ts'
import type { PathDetail } from '../../node/events.ts'
import type { Peer } from '../../node/peer.ts'
import type { Credentials } from '../../tunnel/wire/protocol.ts'
import type { ForwardStatus, NodeStatus } from '../../status/node-status.ts'
import type { LocalForward } from '../../tunnel/dialer/forward.ts'
import type { Traffic } from '../../tunnel/wire/splice.ts'
import type { OpenStream } from '../../tunnel/dialer/open-service.ts'
import type { DialingPeer } from './dial.ts'
import type { Destination, DestinationContext } from '../options/destination.ts'
import type { ForwardRule } from '../options/forward-rule.ts'

/** What a forward needs to reach a service. */
export interface Carriage {
  openStream: OpenStream
  onPath: (listener: () => void) => () => void
  service: string
  credentials: Credentials
  ticketExpiresAt?: Date
  onCarry?: (traffic: Traffic) => () => void
}

interface ForwardsContext extends DestinationContext {
  signal: AbortSignal
  status: NodeStatus
}

interface StartContext extends Pick<ForwardsContext, 'output' | 'signal' | 'status'> {
  /** What the status shows already. */
  entry?: ForwardStatus
}

/**
 * Starts all forwards. One that cannot listen is tried again until it can, and shown in the status.
 *
 * @param isStrict - one that cannot listen ends all
 * @throws {UsageError} or {InvalidConfigError} for a target that cannot be understood
 * @throws the system's error for a port that cannot be had, with `isStrict`
 */
export async function startForwards(
  peer: Peer,
  rules: readonly ForwardRule[],
  isStrict: boolean,
  context: ForwardsContext,
): Promise<AsyncDisposable> {
  const running = new AsyncDisposableStack()
  try {
    for (const { local, target, service } of rules) {
      const destination = await readDestination(target, context)
      const carriage = await carriageTo({ peer }, destination, serviceOf(destination, service))
      const entry = newEntry(local, carriage, destination, context)
      const start = async (): Promise<LocalForward> =>
        startForward(local, carriage, destination, { ...context, entry })
      running.use(
        isStrict
          ? await start()
          : await keepStarting({ start, local, entry, ...context, service: carriage.service }),
      )
      void connectEarly(peer, destination, context)
    }
    return running
  } catch (error) {
    await running.disposeAsync()
    throw error
  }
}

/** Starts one forward. Adds it to the status, and prints its events. */
export async function startForward(
  local: HostPort,
  carriage: Carriage,
  destination: Destination,
  context: StartContext,
): Promise<LocalForward> {
  const { output, signal, status } = context
  let name = ''
  const onCarry = (traffic: Traffic): (() => void) => {
    const ends = [status.byForward.open(name, traffic), status.byPeer.open(destination.peerId, traffic)]
    return () => ends.forEach(end => end())
  }
  const forward = await forwardLocal({ ...local, ...carriage, onCarry, signal })
  report(forward, carriage.service, output)
  name = printHostPort(forward.address)
  const entry = context.entry ?? newEntry(local, carriage, destination, context)
  entry.onListening(name)
  forward.addEventListener('forward:failed', ({ detail }) => entry.onFailed(detail.error))
  return forward
}

function newEntry(
  local: HostPort,
  { service }: Carriage,
  { label }: Destination,
  { status }: Pick<ForwardsContext, 'status'>,
): ForwardStatus {
  return status.addForward({ local: printHostPort(local), target: label, service })
}

/** How connections reach a service. `connection` is an existing connection to its peer. */
export async function carriageTo(
  { peer, principal }: DialingPeer,
  { target, ticket }: Destination,
  service: string,
  connection?: PeerConnection,
): Promise<Carriage> {
  const { peerId } = parseTarget(target)
  const credentials: Credentials = {}
  if (ticket !== undefined) credentials.ticket = ticket.secret
  if (principal !== undefined)
    credentials.delegation = await delegate(principal, { delegate: peer.peerId, listener: peerId })
  return {
    openStream: async (protocols, options) => {
      connection ??= await peer.connect(target, { signal: options.signal })
      return connection.newStream(protocols, options)
    },
    onPath: listener => watchPath(peer, peerId, listener),
    service,
    credentials,
    ...(ticket?.expiresAt === undefined ? {} : { ticketExpiresAt: ticket.expiresAt }),
  }
}

/** Connects before the first use, so that the path can become direct by then. */
async function connectEarly(
  peer: Peer,
  { target, label }: Destination,
  context: ForwardsContext,
): Promise<void> {
  const { output, signal } = context
  try {
    await peer.connect(target, { signal })
  } catch (error) {
    if (!signal.aborted)
      output.note(`${label} is unreachable. Each new connection tries again. ${(error as Error).message}`)
  }
}

/** Calls `listener` when the path to the remote peer changes. Returns the function that stops it. */
function watchPath(peer: Peer, peerId: PeerId, listener: () => void): () => void {
  const onChange = ({ detail }: CustomEvent<PathDetail>): void => {
    if (detail.peerId.equals(peerId)) listener()
  }
  peer.addEventListener('path:changed', onChange)
  return () => peer.removeEventListener('path:changed', onChange)
}

function report(forward: LocalForward, service: string, output: Output): void {
  const { host, port } = forward.address
  const human = `Listening on ${printHostPort({ host, port })}, for ${service}`
  output.event('forward:listening', { service, host, port }, human)
  forward.addEventListener('forward:opened', ({ detail }) => output.event('forward:opened', { ...detail }))
  forward.addEventListener('forward:closed', ({ detail }) => output.event('forward:closed', { ...detail }))
  forward.addEventListener('forward:failed', ({ detail }) => {
    // people read of it once, for the whole process: see descriptor-watch.ts
    const isShortage = systemCodeOf(detail.error) === 'EMFILE'
    const human = isShortage ? undefined : `A connection failed: ${detail.error.message}`
    output.event('forward:failed', { ...detail }, human)
  })
}
