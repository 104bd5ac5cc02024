/**
 * Which encryptions this node proposes on a TCP socket: TLS first, then the others.
 *
 * The first message of TLS cannot leave before the remote has agreed: from then on Node reads the socket by itself, and
 * would take the remote's answer for a part of TLS. Peers that punch tell each other in DCUtR that they speak it, and
 * negotiate nothing on the socket (src/protocols/silent-agreement.ts).
 */

import { runsOnSockets } from './tls.ts'
import type { Upgrader } from '@libp2p/interface'

/**
 * The encryptions to propose on a socket, in order. Undefined if the node has no TLS that runs on sockets: then all of the
 * node, in its order.
 */
export function encryptionsOnSockets(upgrader: Upgrader): readonly string[] | undefined {
  const encrypters = [...upgrader.getConnectionEncrypters()]
  const preferred = encrypters.flatMap(([name, encrypter]) => (runsOnSockets(encrypter) ? [name] : []))
  if (preferred.length === 0) return undefined
  return [...new Set([...preferred, ...encrypters.map(([name]) => name)])]
}
