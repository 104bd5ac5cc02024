/** Which versions of Node.js will do. Imports nothing that an older one could not load, so that it gets to say so. */

import { UnsupportedRuntimeError } from '../errors.ts'

/**
 * Throws `UnsupportedRuntimeError` where Node.js is older than 24.19, or a 26 older than 26.4: `net.BoundSocket`, which
 * binds outbound sockets with SO_REUSEPORT, came with these (nodejs/node pull request 63951).
 */
export function assertRuntime(nodeVersion: string = process.versions.node): void {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const isNewEnough = major > 26 || (major === 26 && minor >= 4) || (major === 24 && minor >= 19)
  if (isNewEnough) return
  throw new UnsupportedRuntimeError(
    `Node.js ${nodeVersion} cannot share a port between a listener and outbound sockets. Use Node.js 24.19 or later, or 26.4 or later.`,
  )
}
