/** The status of a node as text for people. */

import { printable } from '../../src/cli/problem.ts'
import { layOut } from '../../src/cli/table.ts'
import type {
  ForwardSnapshot,
  PeerSnapshot,
  RelaySnapshot,
  ServiceSnapshot,
  StatusSnapshot,
} from './node-status.ts'
import type { PunchStatus } from './remote-peers.ts'

/** Emphasizes a text, if the output supports it. */
export type Emphasis = (kind: 'heading' | 'good' | 'bad', text: string) => string

/** Describes a snapshot in lines. */
export function describeStatus(status: StatusSnapshot, now: number, emphasize: Emphasis): string[] {
  const { peerId, version, uptimeMs, relays, peers, services, forwards } = status
  const connected = peers.filter(({ path }) => path !== null)
  const section = (title: string, lines: string[], none: string): string[] => [
    '',
    emphasize('heading', title),
    ...(lines.length === 0 ? [`  ${none}`] : lines.map(line => `  ${line}`)),
  ]
  return [
    `${peerId}, throughnat ${printable(version)}, up for ${duration(uptimeMs)}`,
    ...section(
      'Relays',
      describeRelays(relays, now, emphasize),
      'none: this node is not reachable through a relay',
    ),
    ...section('Peers', describePeers(connected, now, emphasize), 'none are connected'),
    ...section('Services', layOut(services.map(serviceRow)), 'none are exposed'),
    ...section('Forwards', layOut(forwards.map(forwardRow)), 'none'),
  ]
}

function describeRelays(relays: readonly RelaySnapshot[], now: number, emphasize: Emphasis): string[] {
  const lines = layOut(
    relays.map(({ relay, state, expiresAt, addrs }) => [relay, told(state, expiresAt, now), addrs[0] ?? '']),
  )
  return lines.map((line, at) => emphasize(relays[at]?.state === 'held' ? 'good' : 'bad', line))
}

function told(state: RelaySnapshot['state'], expiresAt: number | null, now: number): string {
  return expiresAt === null ? state : `${state}, for ${duration(Math.max(0, expiresAt - now))} more`
}

/** One line per peer. Below a relayed peer, the reason why it stays relayed. */
function describePeers(peers: readonly PeerSnapshot[], now: number, emphasize: Emphasis): string[] {
  const lines = layOut(peers.map(it => peerRow(it, now)))
  return peers.flatMap(({ path, punch }, at) => {
    const line = emphasize(path === 'direct' ? 'good' : 'bad', lines[at] ?? '')
    const why = path === 'relayed' && punch !== null ? describePunch(punch, now) : undefined
    return why === undefined ? [line] : [line, `  ${why}`]
  })
}

function peerRow(
  { peerId, name, path, remoteAddr, since, rttMs, bytesIn, bytesOut }: PeerSnapshot,
  now: number,
): string[] {
  return [
    name ?? peerId,
    path ?? '',
    rttMs === null ? 'no answer' : `${rttMs.toFixed(1)} ms`,
    `for ${duration(now - since)}`,
    `${size(bytesIn)} in, ${size(bytesOut)} out`,
    path === 'direct' ? (remoteAddr ?? '') : '',
  ]
}

function describePunch(
  { outcome, at, attempts, reason, advice }: PunchStatus,
  now: number,
): string | undefined {
  if (outcome === 'running') return 'punching now'
  if (outcome === 'succeeded' || reason === null) return undefined
  const tries = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
  return `stays relayed (${reason}, ${tries} ${duration(now - at)} ago): ${advice}`
}

function serviceRow({ name, place, allowed, ...usage }: ServiceSnapshot): string[] {
  const who =
    allowed === 'anyone' ? 'for anyone' : `for ${allowed} ${allowed === 1 ? 'peer' : 'peers'} and tickets`
  return [name, place, who, ...usageCells(usage)]
}

function forwardRow({ local, target, service, failed, lastError, ...usage }: ForwardSnapshot): string[] {
  const failures = failed === 0 ? '' : `${failed} failed, the last: ${lastError}`
  return [local, `${target} ${service}`, ...usageCells(usage), failures]
}

function usageCells({
  open,
  total,
  bytesIn,
  bytesOut,
}: Pick<ServiceSnapshot, 'open' | 'total' | 'bytesIn' | 'bytesOut'>): string[] {
  return [`${open} open of ${total}`, `${size(bytesIn)} in, ${size(bytesOut)} out`]
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${(bytes / 1024 ** at).toFixed(at === 0 ? 0 : 1)} ${units[at]}`
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`
}
