/**
 * Makes identify answer in messages that every remote reads.
 *
 * Fault of `@libp2p/identify` 4.1.14: it writes all protocols, all addresses and the signed record, which has the
 * addresses again, as one message of any length (identify.ts, `handleProtocol`). It reads 8192 bytes itself, and
 * rust-libp2p reads 4096.
 *
 * Upstream issue: not reported. The specification follows in https://github.com/libp2p/specs/pull/709
 */

import { IP_OR_DOMAIN } from '@multiformats/multiaddr-matcher'
import { answerIdentify } from '../../protocols/identify/answer.ts'
import { shapeCheck } from '../expect-shape.ts'
import type { identify, Identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'

type Components = Pick<
  Parameters<ReturnType<typeof identify>>[0],
  'peerId' | 'privateKey' | 'addressManager' | 'peerStore'
>

/** The private method that answers, and what the node says of its programs. */
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

/** Patches the service. @throws {UpstreamChangedError} */
export function answerInParts(service: Identify, components: Components): void {
  assertShape(service)
  const answering = service as Answering
  const { peerId, privateKey, addressManager, peerStore } = components
  const self = { peerId, privateKey, addressManager, peerStore, ...answering.host }
  answering.handleProtocol = async (stream, { remoteAddr }) => {
    const observed = IP_OR_DOMAIN.matches(remoteAddr) ? remoteAddr : undefined
    await answerIdentify(stream, self, observed, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  }
}
