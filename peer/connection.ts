/**
 * A connection to a remote peer, whatever path it takes. It begins relayed or direct, becomes direct when a punch
 * succeeds, and new streams go over the best path there is; streams that are open stay where they are.
 */

import { UnreachableError } from '../src/errors.ts'
import { ping } from './ping.ts'
import type { AbortOptions, NewStreamOptions, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HolePunchService } from '../src/holepunch/service.ts'
import type { Path } from './events.ts'
import type { CurrentPath, Paths } from './paths.ts'

/** A connection to a remote peer. */
export interface PeerConnection {
  readonly remotePeer: PeerId
  /** How new streams travel now. Throws `UnreachableError` when the peer is no longer connected. */
  readonly path: Path
  /** The remote address of that path. */
  readonly remoteAddr: Multiaddr
  /**
   * Opens a stream for one of these protocols over the best path, connecting again if none is left.
   *
   * @throws {UnreachableError} if the peer cannot be reached any more
   * @throws `UnsupportedProtocolError` (libp2p) if the remote handles none of them
   */
  newStream(protocols: string | string[], options?: NewStreamOptions): Promise<Stream>
  /**
   * Resolves when the path is direct. Aborting `signal` ends the wait and not the upgrade.
   *
   * @throws {HolePunchFailedError} with a `reason`, when the path stays relayed; it still carries data
   */
  direct(options?: AbortOptions): Promise<void>
  /** Measures the round trip over the best path, in milliseconds. Throws what the path failed with. */
  ping(options?: AbortOptions): Promise<Pong>
  /** Closes all connections to the peer; open streams are ended. */
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
  /** Connects again. */
  reconnect: (options: AbortOptions) => Promise<void>
  disconnect: (options: AbortOptions) => Promise<void>
}

/** Makes the handle; the libp2p connections behind it come and go. */
export function createConnection(remotePeer: PeerId, context: ConnectionContext): PeerConnection {
  const current = (): CurrentPath => {
    const path = context.paths.to(remotePeer)
    if (path === undefined)
      throw new UnreachableError(`${remotePeer} is not connected any more. Connect again.`)
    return path
  }
  return {
    remotePeer,
    get path() {
      return current().path
    },
    get remoteAddr() {
      return current().connection.remoteAddr
    },
    newStream: async (protocols, options = {}) => {
      if (context.paths.to(remotePeer) === undefined) await context.reconnect(options)
      const wanted = Array.isArray(protocols) ? protocols : [protocols]
      return current().connection.newStream(wanted, { ...options, runOnLimitedConnection: true })
    },
    direct: async (options = {}) => {
      await context.punching.direct(current().connection, options)
    },
    ping: async (options = {}) => {
      const { path, connection } = current()
      const rttMs = await ping(connection, options)
      return { rttMs, path, remoteAddr: connection.remoteAddr }
    },
    close: async (options = {}) => context.disconnect(options),
  }
}
