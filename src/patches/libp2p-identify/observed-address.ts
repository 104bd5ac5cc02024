/**
 * Identify that tells a remote its observed address as the specification has it: without a peer id at its end.
 *
 * @libp2p/identify 4.1.14 sends the address of the connection, to which libp2p has added the remote's `/p2p/`. go-libp2p before 0.41 ignores such an observation, for its
 * parts are not those of an address it listens on; then it knows of no public address, does not even offer DCUtR, and nobody punches to it. Over a circuit the address
 * is the relay's: rust-libp2p takes the host in it for its own (`translate` of libp2p-identify 0.48.0), and has others punch to the relay.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import { identify } from '@libp2p/identify'
import { isCircuit } from '../../addresses/circuit.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { shapeCheck } from '../expect-shape.ts'
import { withoutPeerId } from '../../addresses/endpoint.ts'
import type { Identify, IdentifyInit } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'

type Components = Parameters<ReturnType<typeof identify>>[0]

/** What is behind the interface: a remote's question is answered by this method, which looks at the connection's address alone. */
interface Answering extends Identify {
  handleProtocol(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): Promise<void>
}

/** An address of no host, which identify does not tell. */
const NOT_OBSERVED = multiaddr('/p2p-circuit')

const assertShape = shapeCheck('@libp2p/identify', { handleProtocol: 'function' })

/** A drop-in for `identify()` of `@libp2p/identify`. */
export function plainIdentify(init?: IdentifyInit): (components: Components) => Identify {
  return components => {
    const service = identify(init)(components) as Answering
    assertShape(service)
    const answer = service.handleProtocol.bind(service)
    service.handleProtocol = async (stream, { remoteAddr }) =>
      answer(stream, { remoteAddr: isCircuit(remoteAddr) ? NOT_OBSERVED : withoutPeerId(remoteAddr) })
    return service
  }
}
