/**
 * One ping over one connection.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
 */

import { randomBytes } from 'node:crypto'
import { PING_PROTOCOL } from '@libp2p/ping'
import { byteStream } from '@libp2p/utils'
import { openOptimisticStream } from './optimistic-stream.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'

// ping.md: "The dialing peer sends a 32-byte payload of random binary data"
const PAYLOAD_BYTES = 32

export interface PingOptions extends AbortOptions {
  /** Sends the payload before the remote has agreed to speak ping, which saves a round trip. */
  isOptimistic?: boolean
  /** How many pings are sent in one flight. @default 1 */
  count?: number
}

/**
 * Resolves with the time from payload to echo in milliseconds. An optimistic ping includes the remote's agreement.
 *
 * @throws `UnsupportedProtocolError` (libp2p) if the remote does not speak ping; what the connection failed with
 */
export async function ping(connection: Connection, options: PingOptions): Promise<number> {
  const { isOptimistic = false, count = 1, ...bounds } = options
  const stream = isOptimistic
    ? await openOptimisticStream(connection, PING_PROTOCOL)
    : await connection.newStream(PING_PROTOCOL, { ...bounds, runOnLimitedConnection: true })
  try {
    const bytes = byteStream(stream)
    const payload = randomBytes(count * PAYLOAD_BYTES)
    const sentAt = performance.now()
    await bytes.write(payload, bounds)
    const echo = await bytes.read({ ...bounds, bytes: payload.byteLength })
    const rttMs = performance.now() - sentAt
    if (!payload.equals(echo.subarray())) throw new Error('the ping came back with other bytes')
    await stream.close(bounds)
    return rttMs
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

/**
 * Resolves when data has crossed the connection in both directions. A remote that does not speak ping proves the same
 * by saying so.
 *
 * @throws what the connection failed with; the reason of `signal` when it fires
 */
export async function awaitAnswer(connection: Connection, options: PingOptions): Promise<void> {
  try {
    await ping(connection, options)
  } catch (error) {
    if ((error as Error).name !== 'UnsupportedProtocolError') throw error
  }
}
