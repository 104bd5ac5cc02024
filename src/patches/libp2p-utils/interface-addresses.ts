/**
 * Lets a listener tell its addresses without a free file descriptor: those that it told before.
 *
 * Fault of `@libp2p/utils` 7.4.1: a listener of every interface asks the system for their addresses each time
 * (get-thin-waist-addresses.ts), which throws when the process has no file descriptor left. libp2p asks from a timer
 * (address-manager/index.ts, `_updatePeerStoreAddresses`), so that the process ends.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const assertShape = shapeCheck('@libp2p/utils', { getAddrs: 'function' })

/** Patches a listener, and returns it. @throws {UpstreamChangedError} */
export function keepAddresses(listener: Listener): Listener {
  assertShape(listener)
  const getAddrs = listener.getAddrs.bind(listener)
  let known: Multiaddr[] = []
  listener.getAddrs = () => {
    try {
      known = getAddrs()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error
    }
    return [...known]
  }
  return listener
}
