/** The observed address that a node sends when a remote identifies it. */

import { identify } from '@libp2p/identify'
import { lpStream, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { bytes, messageType } from '../../../../../src/protocols/protobuf.ts'
import type { Identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

interface Answering extends Identify {
  handleProtocol(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): Promise<void>
}

/** The field of https://github.com/libp2p/specs/blob/master/identify/README.md that counts here. */
const message = messageType({ observedAddr: bytes(4) })

/** Answers over a connection with this remote address. Resolves with the observed address, if one is sent. */
export async function observedOver(
  t: TestContext,
  remoteAddr: string,
  patch: (service: Identify) => void,
): Promise<string | undefined> {
  const node = await createLibp2p({ services: { identify: identify() } })
  t.after(() => node.stop())
  const service = node.services.identify as Answering
  patch(service)
  const [near, far] = await streamPair()
  t.after(() => near.abort(new Error('the test is over')))
  const answered = service.handleProtocol(far, { remoteAddr: multiaddr(remoteAddr) })
  const { observedAddr } = message.decode(await lpStream(near).read())
  await answered
  return observedAddr === undefined ? undefined : multiaddr(observedAddr).toString()
}
