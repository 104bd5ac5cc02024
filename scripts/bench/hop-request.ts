/** Requests of circuit-relay v2, made by hand. */

import { pbStream } from '@libp2p/utils'
import { HopMessage, Status } from '../../src/protocols/circuit-relay/messages.ts'
import type { Stream } from '@libp2p/interface'

/** Sends a request; resolves with the stream that the circuit goes on over. Throws if the relay refuses. */
export async function requestOf(stream: Stream, request: HopMessage): Promise<Stream> {
  const messages = pbStream(stream)
  await messages.write(request, HopMessage)
  const { status } = await messages.read(HopMessage)
  if (status !== Status.OK) throw new Error(`the relay answered ${status}`)
  return messages.unwrap()
}
