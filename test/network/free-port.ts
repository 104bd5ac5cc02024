/** A port on loopback on which nothing listens. */

import { createServer } from 'node:net'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'

/** Resolves with the port of a server that has been closed. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
