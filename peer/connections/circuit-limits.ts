/** What a relay allows a circuit, as far as this end can tell: relays say it when the circuit is made, and cut it without a word. */

import { isCircuit, lastPeerId, relayAddrOf } from '../../src/addresses/circuit.ts'
import { CircuitLimitError } from '../../src/errors.ts'
import type { Connection, Stream } from '@libp2p/interface'

/** What a circuit may still carry. */
export interface CircuitLimits {
  /**
   * At least so many bytes in each direction; undefined where the relay sets no bound. libp2p counts both directions together, and relays each by itself.
   */
  bytesLeft: number | undefined
  /** Undefined where the relay sets no bound. */
  secondsLeft: number | undefined
}

/**
 * A circuit that ends with fewer bytes left was cut for it: the message that went over the limit is not counted on the side that it did not
 * reach. It is as much as yamux sends at once (its initial window).
 */
const BYTES_LEFT_AT_CUT = 256 * 1024

/** Time left, in seconds, with which a circuit was cut for it: the clocks of the two ends began a round trip apart. */
const SECONDS_LEFT_AT_CUT = 2

/** The limits of a circuit; undefined for a connection without any. */
export function circuitLimitsOf({ limits }: Connection): CircuitLimits | undefined {
  if (limits === undefined) return undefined
  return {
    bytesLeft: limits.bytes === undefined ? undefined : Number(limits.bytes),
    secondsLeft: limits.seconds,
  }
}

/** Has whoever uses this stream see a `CircuitLimitError` if the relay cuts it. Returns the stream. */
export function explainCuts(stream: Stream, connection: Connection): Stream {
  if (connection.limits === undefined) return stream
  const { bytesLeft: allowed } = circuitLimitsOf(connection) ?? {}
  // the first listener: whoever reads the stream comes later
  stream.addEventListener('close', event => {
    const limit = limitReached(connection, allowed)
    if (event.local === true || limit === undefined) return
    event.error = new CircuitLimitError(limit, relayOf(connection), { cause: event.error })
  })
  return stream
}

function limitReached(connection: Connection, allowed: number | undefined): 'data' | 'duration' | undefined {
  // a stream that ends by itself does so while its circuit stands, or is closed in good order
  if (connection.status === 'open' || connection.status === 'closing') return undefined
  const { bytesLeft, secondsLeft } = circuitLimitsOf(connection) ?? {}
  if (secondsLeft !== undefined && secondsLeft <= SECONDS_LEFT_AT_CUT) return 'duration'
  if (bytesLeft === undefined || allowed === undefined) return undefined
  return bytesLeft <= Math.min(BYTES_LEFT_AT_CUT, allowed / 2) ? 'data' : undefined
}

function relayOf({ remoteAddr }: Connection): string {
  return isCircuit(remoteAddr) ? lastPeerId(relayAddrOf(remoteAddr)) : remoteAddr.toString()
}
