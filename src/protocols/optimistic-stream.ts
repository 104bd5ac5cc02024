/**
 * Opens a stream without waiting for the remote to agree on its protocol: what is written leaves in the same flight as
 * the negotiation. That saves one round trip over the circuit for the DCUtR exchange, and one for the proof that a
 * direct connection works. go-libp2p does likewise (go-multistream's `NewMSSelect`, "lazy" negotiation).
 *
 * libp2p 3 has no option for it (its predecessor had `negotiateFully`), so the stream is made at the muxer and
 * multistream-select spoken here. Spec: https://github.com/multiformats/multistream-select
 */

import { UnsupportedProtocolError } from '@libp2p/interface'
import { shapeCheck } from '../patches/expect-shape.ts'
import type { Connection, MessageStream, Stream, StreamMessageEvent, StreamMuxer } from '@libp2p/interface'

// not public, and there in every muxed connection of libp2p 3
const assertShape = shapeCheck('libp2p', { 'muxer.createStream': 'function' })

const MULTISTREAM = '/multistream/1.0.0'

/**
 * Opens a stream that can be written to at once. If the remote does not speak the protocol the stream is aborted with
 * `UnsupportedProtocolError`, which its reader receives.
 *
 * @throws {UpstreamChangedError}
 */
export async function openOptimisticStream(connection: Connection, protocol: string): Promise<Stream> {
  assertShape(connection)
  const { muxer } = connection as Connection & { muxer: StreamMuxer }
  const stream = await muxer.createStream()
  stream.protocol = protocol
  const proposal = proposalOf(protocol)
  stream.send(proposal)
  holdBackAnswer(stream, proposal, protocol)
  return stream
}

/** What the dialing side writes to propose a protocol. A remote that agrees answers with the same bytes. */
export function proposalOf(protocol: string): Buffer {
  return Buffer.concat([line(MULTISTREAM), line(protocol)])
}

/**
 * Keeps the remote's answer to a proposal from the readers of a stream. If it is not the expected one, the stream is
 * aborted with `UnsupportedProtocolError`, which its reader receives.
 *
 * @param isExempt - true for events that go to the readers as they are
 * @returns a function that ends it
 */
export function holdBackAnswer(
  stream: MessageStream,
  expected: Buffer,
  protocol: string,
  isExempt: (event: Event) => boolean = () => false,
): () => void {
  let received = Buffer.alloc(0)
  const onMessage = (event: StreamMessageEvent): void => {
    if (isExempt(event)) return
    event.stopImmediatePropagation()
    received = Buffer.concat([received, event.data.subarray()])
    const length = Math.min(received.byteLength, expected.byteLength)
    if (!received.subarray(0, length).equals(expected.subarray(0, length))) {
      stop()
      stream.abort(new UnsupportedProtocolError(`the remote does not speak ${protocol}`))
    } else if (length === expected.byteLength) {
      stop()
      if (received.byteLength > length) stream.push(received.subarray(length))
    }
  }
  const stop = (): void => stream.removeEventListener('message', onMessage)
  stream.addEventListener('message', onMessage)
  return stop
}

/** A line of multistream-select: its length as a varint of one byte (protocol names are short), the text, a newline. */
function line(text: string): Uint8Array {
  const bytes = Buffer.from(`${text}\n`)
  return Buffer.concat([Buffer.of(bytes.byteLength), bytes])
}
