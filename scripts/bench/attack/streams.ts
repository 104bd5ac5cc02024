/** Attacks on streams, by strangers that have finished the handshake. */

import { setTimeout as pause } from 'node:timers/promises'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { TUNNEL_PROTOCOL } from '../../../peer/tunnel/wire/protocol.ts'
import { field, framed, HOP, RESERVE, STOP } from '../../../test/network/hop-client.ts'
import { dial, hostileNode, MANY_STREAMS } from './hostile-node.ts'
import { ended, inLanes } from './repeat.ts'
import { endlessLength } from './sockets.ts'
import type { Connection, Libp2p, PublicKey, Stream, StreamMuxer } from '@libp2p/interface'

const IDENTIFY = '/ipfs/id/1.0.0'

/** Longest wait for the victim to end a stream, in milliseconds. */
const END_MS = 10_000

/** What a stream costs to open: two frames, and the negotiation, in bytes. */
const STREAM_BYTES = 80

async function endedInTime(stream: Stream): Promise<void> {
  await Promise.race([ended(stream), pause(END_MS)])
}

/** A length that does not end: before the protocol of a stream is agreed on, or as the first message of `stop`. */
export async function streamLength({
  addr,
  bytes,
  protocol,
}: {
  addr: string
  bytes: number
  protocol: 'none' | 'stop'
}): Promise<number> {
  await using node = await hostileNode()
  const connection = await dial(node, addr)
  const stream =
    protocol === 'stop' ? await connection.newStream(STOP) : await muxerOf(connection).createStream()
  try {
    stream.send(endlessLength(bytes))
    await endedInTime(stream)
  } catch {
    // the victim was faster
  }
  return bytes
}

/** Answers a victim that asks who this is with a length that does not end. */
export async function identifyAnswer({ addr, bytes }: { addr: string; bytes: number }): Promise<number> {
  await answerIdentify(addr, async (_node, stream) => {
    stream.send(endlessLength(bytes))
    await endedInTime(stream)
  })
  return bytes
}

/** Strangers that tell as much of themselves as is read: nine messages of 8,000 bytes. One comes after the other. */
export async function fatIdentities({ addr, count }: { addr: string; count: number }): Promise<number> {
  let bytes = 0
  for (let n = 0; n < count; n++) {
    await answerIdentify(addr, async (node, stream) => {
      // without the key, nothing of the answer is kept
      const key = field(1, publicKeyToProtobuf(publicKeyOf(node)))
      for (let part = 0; part < 9; part++) {
        const protocols = Array.from({ length: 8 }, (_, m) =>
          field(3, Buffer.from(`/${n}/${part}/${m}/`.padEnd(980, 'x'))),
        )
        const message = framed(Buffer.concat([key, ...protocols]))
        bytes += message.byteLength
        stream.send(message)
      }
      await stream.close()
      await pause(300)
    })
  }
  return bytes
}

/** Strangers that open streams of the tunnel and say nothing, and open those again that the victim ends. */
export async function silentStreams({
  addr,
  peers,
  count,
  seconds,
}: {
  addr: string
  peers: number
  count: number
  seconds: number
}): Promise<number> {
  let opened = 0
  const attack = async (): Promise<void> => {
    await using node = await hostileNode()
    const connection = await dial(node, addr)
    const hold = async (): Promise<void> => {
      opened++
      await ended(await connection.newStream(TUNNEL_PROTOCOL, MANY_STREAMS))
    }
    await inLanes({ count, seconds, pauseMs: 200 }, hold, ended(connection))
  }
  await Promise.allSettled(Array.from({ length: peers }, attack))
  return opened * STREAM_BYTES
}

/** One stranger with many questions that the admission program answers slowly. */
export async function slowReservations({
  addr,
  count,
  seconds,
  pauseMs = 50,
}: {
  addr: string
  count: number
  seconds: number
  pauseMs?: number
}): Promise<number> {
  await using node = await hostileNode()
  const connection = await dial(node, addr)
  let asked = 0
  const ask = async (): Promise<void> => {
    const stream = await connection.newStream(HOP, MANY_STREAMS)
    asked++
    stream.send(RESERVE)
    await endedInTime(stream)
  }
  await inLanes({ count, seconds, pauseMs }, ask, ended(connection))
  return asked * (STREAM_BYTES + RESERVE.byteLength)
}

/** Connects, and answers the victim's question who this is. Resolves when that is done. */
async function answerIdentify(
  addr: string,
  answer: (node: Libp2p, stream: Stream) => Promise<void>,
): Promise<void> {
  await using node = await hostileNode()
  const answered = Promise.withResolvers<void>()
  await node.handle(IDENTIFY, stream => {
    answer(node, stream).then(answered.resolve, answered.resolve)
  })
  await dial(node, addr).catch(answered.resolve)
  await Promise.race([answered.promise, pause(END_MS)])
}

function publicKeyOf({ peerId }: Libp2p): PublicKey {
  if (peerId.publicKey === undefined) throw new Error('The node has no public key')
  return peerId.publicKey
}

function muxerOf(connection: Connection): StreamMuxer {
  return (connection as Connection & { muxer: StreamMuxer }).muxer
}
