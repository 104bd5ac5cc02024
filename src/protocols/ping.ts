/**
 * One ping over one connection.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
 */

import { randomBytes } from 'node:crypto'
import { PING_PROTOCOL } from '@libp2p/ping'
import { byteStream } from '@libp2p/utils'
import type { AbortOptions, Connection } from '@libp2p/interface'

// ping.md: "The dialing peer sends a 32-byte payload of random binary data"
const PAYLOAD_BYTES = 32

/**
 * Resolves with the round trip in milliseconds, that of the payload alone: agreeing on the protocol is not counted.
 *
 * @throws `UnsupportedProtocolError` (libp2p) if the remote does not speak ping; what the connection failed with
 */
export async function ping(connection: Connection, options: AbortOptions): Promise<number> {
  const stream = await connection.newStream(PING_PROTOCOL, { ...options, runOnLimitedConnection: true })
  try {
    const bytes = byteStream(stream)
    const payload = randomBytes(PAYLOAD_BYTES)
    const sentAt = performance.now()
    await bytes.write(payload, options)
    const echo = await bytes.read({ ...options, bytes: PAYLOAD_BYTES })
    const rttMs = performance.now() - sentAt
    if (!payload.equals(echo.subarray())) throw new Error('the ping came back with other bytes')
    await stream.close(options)
    return rttMs
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}
