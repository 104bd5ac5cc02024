/**
 * A connection to a remote peer, whatever path it takes. It begins relayed or direct, becomes direct when a punch
 * succeeds, and new streams go over the best path there is; streams that are open stay where they are. When all paths are lost it
 * is made again, until it is closed.
 */

import { UnreachableError } from '../../src/errors.ts'
import { circuitLimitsOf, explainCuts } from './circuit-limits.ts'
import { ping } from '../../src/protocols/ping.ts'
import type { AbortOptions, NewStreamOptions, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HolePunchService } from '../../src/holepunch/service.ts'
import type { CircuitLimits } from './circuit-limits.ts'
import type { Path } from '../node/events.ts'
import type { CurrentPath, Paths } from './paths.ts'

/** A connection to a remote peer. */
export interface PeerConnection {
  readonly remotePeer: PeerId
  /** How new streams travel now. Throws `UnreachableError` while there is no path. */
  readonly path: Path
  /** The remote address of that path. */
  readonly remoteAddr: Multiaddr
  /** What the relay still allows, on a relayed path; undefined where there is no bound, and on a direct one. */
  readonly limits: CircuitLimits | undefined
  /**
   * Opens a stream for one of these protocols over the best path, connecting again if none is left.
   *
   * @throws {UnreachableError} if the peer cannot be reached any more
   * @throws `UnsupportedProtocolError` (libp2p) if the remote handles none of them
   *
   * A stream that a relay cuts for its limits fails with {@link CircuitLimitError}.
   */
  newStream(protocols: string | string[], options?: NewStreamOptions): Promise<Stream>
  /**
   * Resolves when the path is direct. Aborting `signal` ends the wait and not the upgrade.
   *
   * @throws {HolePunchFailedError} with a `reason`, when the path stays relayed; it still carries data, and is punched again
   *   later: `path:changed` tells if that succeeds
   * @throws {UnreachableError} if there is no path, and none can be made
   */
  direct(options?: AbortOptions): Promise<void>
  /** Measures the round trip over the best path, in milliseconds. Throws what the path failed with. */
  ping(options?: AbortOptions): Promise<Pong>
  /** Closes all connections to the peer, and does not make them again until the next stream; open streams are ended. */
  close(options?: AbortOptions): Promise<void>
}

/** An answered ping, and the path that it took. */
export interface Pong {
  rttMs: number
  path: Path
  remoteAddr: Multiaddr
}

/** What a connection needs of its peer. */
export interface ConnectionContext {
  paths: Paths
  punching: HolePunchService
  /** Connects again where there is no path. */
  connect: (options: AbortOptions) => Promise<void>
  disconnect: (options: AbortOptions) => Promise<void>
}

/** Makes the handle; the libp2p connections behind it come and go. */
export function createConnection(remotePeer: PeerId, context: ConnectionContext): PeerConnection {
  const { paths, punching, connect, disconnect } = context
  const current = (): CurrentPath => {
    const path = paths.to(remotePeer)
    if (path === undefined) throw new UnreachableError(`${remotePeer} is not connected now. Try again.`)
    return path
  }
  const found = async (options: AbortOptions): Promise<CurrentPath> => {
    await connect(options)
    return current()
  }
  /** Uses the best path; when that is lost meanwhile there is another, or one can be made. */
  const over = async <T>(options: AbortOptions, use: (path: CurrentPath) => Promise<T>): Promise<T> => {
    const first = await found(options)
    try {
      return await use(first)
    } catch (error) {
      if (first.connection.status === 'open') throw error
      return use(await found(options))
    }
  }
  return {
    remotePeer,
    get path() {
      return current().path
    },
    get remoteAddr() {
      return current().connection.remoteAddr
    },
    get limits() {
      return circuitLimitsOf(current().connection)
    },
    newStream: async (protocols, options = {}) => {
      const wanted = Array.isArray(protocols) ? protocols : [protocols]
      return over(options, async ({ connection }) => {
        const stream = await connection.newStream(wanted, { ...options, runOnLimitedConnection: true })
        return explainCuts(stream, connection)
      })
    },
    direct: async (options = {}) => {
      const { path, connection } = await found(options)
      if (path === 'relayed') await punching.direct(connection, options)
    },
    ping: async (options = {}) => over(options, async path => pingOver(path, options)),
    close: async (options = {}) => disconnect(options),
  }
}

async function pingOver({ path, connection }: CurrentPath, options: AbortOptions): Promise<Pong> {
  const rttMs = await ping(connection, options)
  return { rttMs, path, remoteAddr: connection.remoteAddr }
}
