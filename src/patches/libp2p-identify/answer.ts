/** The answer to a remote that identifies this node. It contains the remote's observed address. */

import { shapeCheck } from '../expect-shape.ts'
import type { Identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The private method that answers. It looks at the connection's address alone. */
interface Answering extends Identify {
  handleProtocol(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): Promise<void>
}

const assertShape = shapeCheck('@libp2p/identify', { handleProtocol: 'function' })

/** Changes the observed address in every answer. @throws {UpstreamChangedError} */
export function changeObserved(service: Identify, change: (observed: Multiaddr) => Multiaddr): void {
  assertShape(service)
  const answering = service as Answering
  const answer = answering.handleProtocol.bind(service)
  answering.handleProtocol = async (stream, { remoteAddr }) =>
    answer(stream, { remoteAddr: change(remoteAddr) })
}
