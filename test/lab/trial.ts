/**
 * One trial: a fresh dialer connects to a fresh listener, and all that must hold is checked.
 *
 * It starts relayed; ends as expected; data crosses afterwards, byte for byte; and when it ends direct, the relay carries
 * none of it.
 */

import assert from 'node:assert/strict'
import type { Remote } from './remote.ts'
import type { Outcome } from './matrix.ts'

/** The programs that take part. */
export interface Cast {
  relay: Remote
  dialer: Remote
  listener: Remote
  /** The relay's address for the dialer and for the listener. */
  relayAddr: string
}

/** What a trial measured; times in milliseconds. */
export interface TrialResult {
  path: Outcome
  /** From the circuit to the direct connection; undefined where there is none. */
  directMs: number | undefined
  /** Why it stayed relayed. */
  reason: string | undefined
}

/** Enough that a circuit, whose overhead is some KiB, cannot be taken for a direct connection. */
const ECHO_BYTES = 256 * 1024

/** All attempts with their windows, and the exchanges between them, at round trips of half a second. */
const DIRECT_TIMEOUT_MS = 40_000

let trials = 0

/** Runs one trial. Throws an `AssertionError` that says what did not hold. */
export async function runTrial(
  cast: Cast,
  expected: Outcome,
  timeoutMs: number = DIRECT_TIMEOUT_MS,
): Promise<TrialResult> {
  const name = `trial-${++trials}`
  const { dialer, listener } = cast
  try {
    const result = await connectAndWatch(cast, name, timeoutMs)
    const because = result.reason === undefined ? '' : `: ${result.reason}`
    assert.equal(result.path, expected, `it ends ${expected}${because}`)
    await assertDataCrosses(cast, name, expected)
    return result
  } finally {
    await Promise.allSettled([dialer.do('stop', { name }), listener.do('stop', { name })])
  }
}

/** Starts the two peers, connects them, and resolves when the path is direct or stays relayed. */
export async function connectAndWatch(
  cast: Cast,
  name: string,
  timeoutMs: number = DIRECT_TIMEOUT_MS,
): Promise<TrialResult> {
  const { dialer, listener, relayAddr } = cast
  const relays = [relayAddr]
  const { addrs } = await listener.do<{ addrs: string[] }>('peer', { name, relays, reserve: true })
  await dialer.do('peer', { name, relays, reserve: false })
  const circuit = await dialer.do<{ path: string }>('connect', { name, target: addrs[0] })
  assert.equal(circuit.path, 'relayed', 'it starts relayed')
  return awaitOutcome(dialer, name, timeoutMs)
}

async function awaitOutcome(dialer: Remote, name: string, timeoutMs: number): Promise<TrialResult> {
  try {
    const direct = await dialer.do<{ path: Outcome; elapsedMs: number }>('direct', { name }, timeoutMs)
    return { path: direct.path, directMs: direct.elapsedMs, reason: undefined }
  } catch (error) {
    const { reason } = error as { reason?: string }
    if (reason === undefined) throw error
    return { path: 'relayed', directMs: undefined, reason }
  }
}

async function assertDataCrosses({ relay, dialer }: Cast, name: string, expected: Outcome): Promise<void> {
  const before = await relay.do<{ bytes: number }>('traffic')
  const echo = await dialer.do<{ path: string }>('echo', { name, bytes: ECHO_BYTES })
  const after = await relay.do<{ bytes: number }>('traffic')
  assert.equal(echo.path, expected, `data crosses ${expected}`)
  const carried = after.bytes - before.bytes
  if (expected === 'direct')
    assert.ok(carried < ECHO_BYTES / 4, `the relay stands still, it carried ${carried} bytes`)
  else assert.ok(carried > ECHO_BYTES, `the relay carries the data, it carried ${carried} bytes`)
}
