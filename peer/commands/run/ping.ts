/** What `throughnat ping` does. */

import { DEFAULT_COUNT } from '../ping.ts'
import { HolePunchFailedError, UnreachableError } from '../../../src/errors.ts'
import { describeFailure } from '../../connections/describe-failure.ts'
import { readNames } from '../../connections/names.ts'
import { readDestination } from '../options/destination.ts'
import { PingSession } from '../running/ping-session.ts'
import { reportPunching, reportStorage } from '../running/report.ts'
import { startDialingPeer, withTimeout } from '../running/dial.ts'
import type { RunPing } from '../ping.ts'
import type { HolePunchFailure } from '../../../src/errors.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { PeerConnection } from '../../connections/connection.ts'
import type { PingSummary } from '../running/ping-session.ts'

/** Pings until the count is reached or the path is direct, as the options say. */
export const runPing: RunPing = async (config, context) => {
  const { output, signal } = context
  const { untilDirect, intervalMs, timeoutMs } = config
  const count = config.count ?? (untilDirect ? Number.POSITIVE_INFINITY : DEFAULT_COUNT)
  const warn = (text: string): void => output.note(text)
  const names = await readNames(config.names, warn)
  const { target, label } = await readDestination(context.arguments.target, { ...context, names })
  await using peer = (await startDialingPeer(config, signal, warn)).peer
  const over = new AbortController()
  reportPunching(peer, output, over.signal)
  reportStorage(peer, output)
  const connection = await withTimeout(timeoutMs, signal, label, options => peer.connect(target, options))
  const session = new PingSession(connection, { count, intervalMs, timeoutMs, untilDirect })
  const upgrade = watchUpgrade(connection, signal, error => {
    // with --until-direct the failure ends the command, which prints it
    if (!untilDirect && error instanceof HolePunchFailedError && error.reason !== 'stopped')
      output.note(error.message)
  })
  await session.run(
    pong => output.event('pong', { ...pong }, `${pong.seq}: ${pong.rttMs.toFixed(1)} ms, ${pong.path}`),
    (seq, error) => output.note(`${seq}: no answer (${describeFailure(error)})`),
    signal,
    upgrade.decided,
  )
  // the summary comes last: that the end of the command stops an upgrade is not worth an event
  over.abort()
  conclude(
    session.summary(),
    connection,
    { untilDirect, failure: upgrade.failure, isStopped: signal.aborted },
    output,
  )
}

/**
 * Follows the upgrade of the path. `decided` fires when the path is direct, or stays relayed for the reason
 * in `failure`.
 */
function watchUpgrade(
  connection: PeerConnection,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): { decided: AbortSignal; readonly failure: unknown } {
  const decided = new AbortController()
  let failure: unknown
  connection.direct({ signal }).then(
    () => decided.abort(),
    error => {
      failure = error
      decided.abort()
      if (!signal.aborted) onFailure(error)
    },
  )
  return {
    decided: decided.signal,
    get failure() {
      return failure
    },
  }
}

interface Conclusion {
  untilDirect: boolean
  failure: unknown
  isStopped: boolean
}

function conclude(
  summary: PingSummary,
  { remotePeer }: PeerConnection,
  { untilDirect, failure, isStopped }: Conclusion,
  output: Output,
): void {
  const reason = summary.path === 'relayed' && failure instanceof HolePunchFailedError ? failure.reason : null
  output.event('summary', { ...summary, reason }, describe(summary, reason))
  if (isStopped) return
  if (summary.received === 0)
    throw new UnreachableError(
      `${remotePeer} answered none of ${summary.sent} pings. Check that it is still running.`,
    )
  if (!untilDirect || summary.path === 'direct') return
  throw failure ?? new HolePunchFailedError('timed-out', remotePeer.toString())
}

function describe({ sent, received, path, rttMs }: PingSummary, reason: HolePunchFailure | null): string {
  const times =
    rttMs === null ? '' : `, ${[rttMs.min, rttMs.median, rttMs.max].map(it => it.toFixed(1)).join('/')} ms`
  const why = reason === null ? '' : ` (${reason})`
  return `${received} of ${sent} answered, ${path ?? 'no path'}${why}${times}${rttMs === null ? '' : ' (min/median/max)'}`
}
