/** The limits of a circuit as peers are told. */

import type { Limits } from '../limits/limits.ts'
import type { LimitMessage } from '../../src/protocols/circuit-relay/messages.ts'

/** The longest duration that fits the message, in seconds: a uint32. */
const LONGEST_S = 2 ** 32 - 1

/**
 * What to tell of a circuit's limits; nothing where there are none.
 *
 * The duration is in seconds (circuit-v2.md, "Limit"), rounded up: 0 would mean that there is no limit.
 */
export function limitMessageOf({ circuitBytes, circuitDurationMs }: Limits): LimitMessage | undefined {
  const limit: LimitMessage = {}
  if (Number.isFinite(circuitBytes)) limit.data = circuitBytes
  if (Number.isFinite(circuitDurationMs)) {
    limit.duration = Math.min(LONGEST_S, Math.ceil(circuitDurationMs / 1000))
  }
  return Object.keys(limit).length === 0 ? undefined : limit
}
