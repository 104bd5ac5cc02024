/**
 * Bounds what it costs to read who a remote is.
 *
 * Fault of `@libp2p/identify` 4.1.14: it reads lengths by `lpStream` without a decoder of its own (see
 * src/protocols/message-bounds.ts), and parses all fields and addresses of ten messages (utils.ts,
 * `readIdentifyMessages`). A remote that a node dials, and every stranger that dials a peer, can stop it for
 * seconds.
 *
 * Upstream issue: not reported.
 */

import { readIdentify } from '../../protocols/identify/read.ts'
import { shapeCheck } from '../expect-shape.ts'
import type { Identify } from '@libp2p/identify'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Identification } from '../../protocols/identify/read.ts'

/** The private method that asks and reads; `identify()` does what follows from the answer. */
interface Asking extends Identify {
  readonly protocol: string
  readonly timeout: number
  readonly runOnLimitedConnection: boolean
  _identify(connection: Connection, options?: AbortOptions): Promise<Identification>
}

const assertShape = shapeCheck('@libp2p/identify', {
  _identify: 'function',
  protocol: 'string',
  timeout: 'number',
  runOnLimitedConnection: 'boolean',
})

/** Patches the service. @throws {UpstreamChangedError} */
export function boundAnswers(service: Identify): void {
  assertShape(service)
  const asking = service as Asking
  asking._identify = async (connection, options = {}) => {
    const { protocol, timeout, runOnLimitedConnection } = asking
    const bounds = { ...options, signal: options.signal ?? AbortSignal.timeout(timeout) }
    const stream = await connection.newStream(protocol, { ...bounds, runOnLimitedConnection })
    try {
      return await readIdentify(stream, bounds)
    } catch (error) {
      stream.abort(error as Error)
      throw error
    }
  }
}
