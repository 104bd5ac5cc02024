/**
 * Bounds the connections of an HTTP server. When it is full, the address with the most connections loses its oldest one,
 * and the newcomer is served. An honest client is answered within milliseconds, so the oldest one waits for nothing useful.
 */

import { ipPortToMultiaddr } from '@libp2p/utils'
import { FairShares } from '../../src/limits/fair-shares.ts'
import { sharesOf } from '../../src/limits/ip-network.ts'
import type { Server, Socket } from 'node:net'

/** Bounds a server that does not listen yet. */
export function shareConnections(server: Server, maxConnections: number): void {
  const sockets = new FairShares<Socket>()
  server.on('connection', socket => {
    const { remoteAddress, remotePort } = socket
    // the client has closed the socket already
    if (remoteAddress === undefined || remotePort === undefined) return void socket.destroy()
    const path = sharesOf(ipPortToMultiaddr(remoteAddress, remotePort))
    if (sockets.size >= maxConnections) {
      const replaced = sockets.replaceable(path)
      if (replaced !== undefined) sockets.delete(replaced)
      replaced?.destroy()
    }
    sockets.add(socket, path)
    socket.once('close', () => sockets.delete(socket))
  })
}
