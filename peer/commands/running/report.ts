/** Prints the events of a peer: every event as JSON, and a sentence for those that matter to a person. */

import prettyMs from 'pretty-ms'
import { holePunchAdvice } from '../../../src/errors.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { Peer, PeerEvents } from '../../index.ts'

type Sentence<Name extends keyof PeerEvents> = (detail: PeerEvents[Name]['detail']) => string | undefined

const sentences: { [Name in keyof PeerEvents]: Sentence<Name> } = {
  'reservation:granted': ({ addr, expiresAt }) => `Reachable at ${addr} (until ${expiresAt.toISOString()})`,
  'reservation:lost': ({ relay, reason }) => `Lost the reservation at ${relay}: ${reason}`,
  'reservation:failed': ({ relay, reason, retryInMs }) =>
    `No reservation at ${relay}: ${reason}; trying again in ${prettyMs(retryInMs)}`,
  'relay:state': () => undefined,
  'relays:changed': () => 'The relays have changed',
  'relays:failed': ({ source, reason }) => `Cannot read relays from ${source}: ${reason}`,
  'mapping:added': ({ protocol, addr }) => `The router maps ${addr} to this peer (${protocol})`,
  'mapping:verified': ({ addr }) => `Reachable from everywhere at ${addr}`,
  'mapping:lost': ({ addr, reason }) => `The router no longer maps ${addr}: ${reason}`,
  'mapping:failed': () => undefined,
  'storage:failed': () => undefined,
  'storage:recovered': () => undefined,
  'network:changed': ({ change }) => `The network has changed (${change})`,
  'peer:connected': ({ peerId, path }) => `${peerId} connected, ${path}`,
  'peer:disconnected': ({ peerId }) => `${peerId} disconnected`,
  'path:changed': ({ peerId, path, remoteAddr }) => `${peerId} is ${path} now: ${remoteAddr}`,
  'holepunch:started': () => undefined,
  'holepunch:attempt': () => undefined,
  'holepunch:succeeded': ({ peerId, elapsedMs }) => `Punched to ${peerId} in ${Math.round(elapsedMs)} ms`,
  'holepunch:failed': ({ peerId, reason }) =>
    reason === 'stopped' ? undefined : `${peerId} stays relayed (${reason}): ${holePunchAdvice[reason]}`,
}

const PUNCHING = [
  'holepunch:started',
  'holepunch:attempt',
  'holepunch:succeeded',
  'holepunch:failed',
] as const

/** Prints every event of a peer until the peer stops. */
export function reportPeer(peer: Peer, output: Output): void {
  for (const name of Object.keys(sentences) as Array<keyof PeerEvents>) {
    reportEvent(peer, output, name, sentences[name] as Sentence<typeof name>)
  }
  reportStorage(peer, output)
}

/** Reports on stderr what becomes of the data directory: stdout may be on the disk that is full. */
export function reportStorage(peer: Peer, output: Output): void {
  peer.addEventListener('storage:failed', ({ detail: { path, reason } }) =>
    output.note(
      `Cannot write to the data directory ${path}: ${reason}. This peer goes on without it and tries again.`,
    ),
  )
  peer.addEventListener('storage:recovered', ({ detail: { path, dropped } }) =>
    output.note(`The data directory ${path} can be written again; ${dropped} records were dropped.`),
  )
}

/**
 * Prints the hole punch events of a peer until `signal` fires, as JSON only, because a person sees the path
 * of each ping.
 */
export function reportPunching(peer: Peer, output: Output, signal: AbortSignal): void {
  for (const name of PUNCHING) reportEvent(peer, output, name, () => undefined, signal)
}

function reportEvent<Name extends keyof PeerEvents>(
  peer: Peer,
  output: Output,
  name: Name,
  sentence: Sentence<Name>,
  signal?: AbortSignal,
): void {
  const onEvent = (event: PeerEvents[Name]): void => {
    const { detail } = event as CustomEvent<PeerEvents[Name]['detail']>
    output.event(name, { ...detail }, sentence(detail))
  }
  peer.addEventListener(name, onEvent, signal === undefined ? {} : { signal })
}
