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
import { answerIdentify } from '../../protocols/identify/answer.ts'
import { shapeCheck } from '../expect-shape.ts'
import { withoutPeerId } from '../../addresses/endpoint.ts'
import type { Identify, IdentifyInit } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'

type Components = Parameters<ReturnType<typeof identify>>[0]

/** What is behind the interface: this method answers a remote's question, for which the node says what it is. */
interface Answering extends Identify {
  readonly host: { readonly protocolVersion: string; readonly agentVersion: string }
  handleProtocol(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): Promise<void>
}

/** Time for an answer to leave, in milliseconds: that of `@libp2p/identify`. */
const TIMEOUT_MS = 5_000

const assertShape = shapeCheck('@libp2p/identify', {
  handleProtocol: 'function',
  'host.protocolVersion': 'string',
  'host.agentVersion': 'string',
})

/** A drop-in for `identify()` of `@libp2p/identify`. */
export function plainIdentify(init?: IdentifyInit): (components: Components) => Identify {
  return components => {
    const service = identify(init)(components) as Answering
    assertShape(service)
    const { peerId, privateKey, addressManager, peerStore } = components
    const self = { peerId, privateKey, addressManager, peerStore, ...service.host }
    service.handleProtocol = async (stream, { remoteAddr }) => {
      const observed = isCircuit(remoteAddr) ? undefined : withoutPeerId(remoteAddr)
      await answerIdentify(stream, self, observed, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    }
    return service
  }
}
