/** Two ends of a connection with multiplexers on them. */

import { yamux } from '@chainsafe/libp2p-yamux'
import { defaultLogger } from '@libp2p/logger'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { inTime } from '../../../../waits.ts'
import { amended } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { MultiaddrConnection, Stream } from '@libp2p/interface'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { Yamux, YamuxStream } from '../../../../../src/patches/libp2p-yamux/internals.ts'

/** One end. */
export interface End {
  connection: MultiaddrConnection
  muxer: Yamux
}

/** Makes both ends; the first one is the client. */
export function muxerPair(amendments: readonly Amendment[]): [End, End] {
  const [outbound, inbound] = multiaddrConnectionPair()
  return [endOf(outbound, amendments), endOf(inbound, amendments)]
}

/** Makes one end, the server, and lets the test say what comes from the other. */
export function withRemote(amendments: readonly Amendment[]): End & { remote: MultiaddrConnection } {
  const [remote, inbound] = multiaddrConnectionPair()
  return { ...endOf(inbound, amendments), remote }
}

function endOf(connection: MultiaddrConnection, amendments: readonly Amendment[]): End {
  const factory = amended(yamux({ enableKeepAlive: false }), amendments)({ logger: defaultLogger() })
  return { connection, muxer: factory.createStreamMuxer(connection) as Yamux }
}

/** Opens a stream from the first end, and resolves with both of its ends. The second one is read only if somebody listens. */
export async function openStream([here, there]: [End, End]): Promise<[YamuxStream, YamuxStream]> {
  const arrived = Promise.withResolvers<Stream>()
  there.muxer.addEventListener('stream', ({ detail }) => arrived.resolve(detail))
  const stream = await here.muxer.createStream()
  return [stream as YamuxStream, (await inTime(arrived.promise, 'the stream arrives')) as YamuxStream]
}

/** The bytes of a frame's header (https://github.com/hashicorp/yamux/blob/master/spec.md). */
export function header(init: { type: number; flags: number; streamId: number; length: number }): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(init.type, 1)
  bytes.writeUInt16BE(init.flags, 2)
  bytes.writeUInt32BE(init.streamId, 4)
  bytes.writeUInt32BE(init.length, 8)
  return bytes
}
