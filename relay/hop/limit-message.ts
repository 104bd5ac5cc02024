/** The limits of a circuit, as the relay sends them to peers (circuit-v2.md, "Limit"). */

import type { Limits } from '../limits/limits.ts'
import type { LimitMessage } from '../../src/protocols/circuit-relay/messages.ts'

/** The longest duration that fits the message, in seconds: a uint32. */
const LONGEST_S = 2 ** 32 - 1

/**
 * The limits to send. `undefined` if a circuit has none.
 *
 * The duration is in seconds (circuit-v2.md, "Limit"), rounded up, because 0 means no limit.
 */
export function limitMessageOf({ circuitBytes, circuitDurationMs }: Limits): LimitMessage | undefined {
  const limit: LimitMessage = {}
  if (Number.isFinite(circuitBytes)) limit.data = circuitBytes
  if (Number.isFinite(circuitDurationMs)) {
    limit.duration = Math.min(LONGEST_S, Math.ceil(circuitDurationMs / 1000))
  }
  return Object.keys(limit).length === 0 ? undefined : limit
}
