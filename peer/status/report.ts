/** The status of a node as text for people. */

import prettyBytes from 'pretty-bytes'
import prettyMs from 'pretty-ms'
import { printable } from '../../src/cli/output/problem.ts'
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

/** Clocks that differ by less than this, in milliseconds, are not worth a line. */
const CLOCK_DIFFERENCE_MS = 60_000

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
    `${printable(peerId)}, throughnat ${printable(version)}, up for ${duration(uptimeMs)}`,
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
  return lines.flatMap((line, at) => {
    const difference = describeClock(relays[at]?.clockAheadMs ?? 0)
    return [
      emphasize(relays[at]?.state === 'held' ? 'good' : 'bad', line),
      ...(difference === undefined ? [] : [`  ${difference}`]),
    ]
  })
}

/** A difference that matters: to tickets, to certificates, and in logs that are compared. */
function describeClock(aheadMs: number): string | undefined {
  if (Math.abs(aheadMs) < CLOCK_DIFFERENCE_MS) return undefined
  return `its clock is ${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's: one of them is wrong`
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
    return why === undefined ? [line] : [line, `  ${printable(why)}`]
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

function forwardRow({
  local,
  target,
  service,
  listening,
  failed,
  lastError,
  ...usage
}: ForwardSnapshot): string[] {
  const failures = failed === 0 ? '' : `${failed} failed, the last: ${lastError}`
  const trouble = listening ? failures : `does not listen: ${lastError ?? 'not yet'}`
  return [local, `${target} ${service}`, ...usageCells(usage), trouble]
}

function usageCells({
  open,
  total,
  bytesIn,
  bytesOut,
}: Pick<ServiceSnapshot, 'open' | 'total' | 'bytesIn' | 'bytesOut'>): string[] {
  return [`${open} open of ${total}`, `${size(bytesIn)} in, ${size(bytesOut)} out`]
}

const size = (bytes: number): string => prettyBytes(bytes, { binary: true })

/** The two largest units, which is as exact as a person needs it: `2d 3h`. */
const duration = (ms: number): string => prettyMs(ms, { unitCount: 2, secondsDecimalDigits: 0 })

/**
 * Lays out rows of cells in columns, each as wide as its widest cell, except the last one. Removes control
 * characters from cells.
 */
function layOut(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map(row => row.map(cell => printable(cell).replaceAll(/\s+/g, ' ')))
  const columns = Math.max(0, ...cells.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...cells.map(row => row[at]?.length ?? 0)),
  )
  return cells.map(row =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
