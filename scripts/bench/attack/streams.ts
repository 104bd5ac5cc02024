/** Attacks on streams, by strangers that have finished the handshake. */

import { setTimeout as pause } from 'node:timers/promises'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { TUNNEL_PROTOCOL } from '../../../peer/tunnel/wire/protocol.ts'
import { field, framed, HOP, RESERVE, STOP } from '../../../test/network/hop-client.ts'
import { endlessLength } from './sockets.ts'
import { hostileNode } from './hostile-node.ts'
import type { Connection, Libp2p, PublicKey, Stream, StreamMuxer } from '@libp2p/interface'

const IDENTIFY = '/ipfs/id/1.0.0'

/** Longest wait for the victim to end a stream, in milliseconds. */
const END_MS = 10_000

async function ended(stream: Stream): Promise<void> {
  if (stream.status !== 'open') return
  await Promise.race([
    new Promise(resolve => stream.addEventListener('close', resolve, { once: true })),
    pause(END_MS),
  ])
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
  await using node = await disposableNode()
  const connection = await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(END_MS) })
  const stream =
    protocol === 'stop' ? await connection.newStream(STOP) : await muxerOf(connection).createStream()
  try {
    stream.send(endlessLength(bytes))
    await ended(stream)
  } catch {
    // the victim was faster
  }
  return bytes
}

/** Answers a victim that asks who this is with a length that does not end. */
export async function identifyAnswer({ addr, bytes }: { addr: string; bytes: number }): Promise<number> {
  await using node = await disposableNode()
  const answered = Promise.withResolvers<void>()
  await node.handle(IDENTIFY, stream => {
    stream.send(endlessLength(bytes))
    void ended(stream).then(answered.resolve)
  })
  await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(END_MS) })
  await Promise.race([answered.promise, pause(END_MS)])
  return bytes
}

/** Strangers that tell as much of themselves as is read: nine messages of 8,000 bytes. */
export async function fatIdentities({ addr, count }: { addr: string; count: number }): Promise<number> {
  let bytes = 0
  for (let n = 0; n < count; n++) {
    await using node = await disposableNode()
    // without the key, nothing of the answer is kept
    const key = field(1, publicKeyToProtobuf(publicKeyOf(node)))
    const told = Promise.withResolvers<void>()
    await node.handle(IDENTIFY, async stream => {
      for (let part = 0; part < 9; part++) {
        const protocols = Array.from({ length: 8 }, (_, m) =>
          field(3, Buffer.from(`/${n}/${part}/${m}/`.padEnd(980, 'x'))),
        )
        const message = framed(Buffer.concat([key, ...protocols]))
        bytes += message.byteLength
        stream.send(message)
      }
      await stream.close().catch(() => {})
      told.resolve()
    })
    await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(END_MS) }).catch(() => told.resolve())
    await Promise.race([told.promise, pause(END_MS)])
    await pause(300)
  }
  // what is noted is written to the disk later
  await pause(10_000)
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
  const endsAt = performance.now() + seconds * 1000
  let opened = 0
  const attack = async (): Promise<void> => {
    await using node = await disposableNode()
    const connection = await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(END_MS) })
    const hold = async (): Promise<void> => {
      while (performance.now() < endsAt && connection.status === 'open') {
        opened++
        const stream = await connection
          .newStream(TUNNEL_PROTOCOL, { maxOutboundStreams: Infinity, runOnLimitedConnection: true })
          .catch(() => undefined)
        if (stream?.status === 'open')
          await Promise.race([
            new Promise(resolve => stream.addEventListener('close', resolve, { once: true })),
            pause(Math.max(0, endsAt - performance.now())),
          ])
        await pause(200)
      }
    }
    await Promise.all(Array.from({ length: count }, hold))
  }
  await Promise.allSettled(Array.from({ length: peers }, attack))
  // what a stream costs to open: two frames, and the negotiation
  return opened * 80
}

/** One stranger with many questions that the admission program answers slowly. */
export async function slowReservations({
  addr,
  count,
  seconds,
}: {
  addr: string
  count: number
  seconds: number
}): Promise<number> {
  await using node = await disposableNode()
  const connection = await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(END_MS) })
  const endsAt = performance.now() + seconds * 1000
  let asked = 0
  const ask = async (): Promise<void> => {
    while (performance.now() < endsAt && connection.status === 'open') {
      const stream = await connection.newStream(HOP, { maxOutboundStreams: Infinity }).catch(() => undefined)
      if (stream !== undefined) {
        asked++
        if (stream.status === 'open') stream.send(RESERVE)
        await ended(stream)
      }
      await pause(50)
    }
  }
  await Promise.all(Array.from({ length: count }, ask))
  return asked * 100
}

function publicKeyOf({ peerId }: Libp2p): PublicKey {
  if (peerId.publicKey === undefined) throw new Error('The node has no public key')
  return peerId.publicKey
}

function muxerOf(connection: Connection): StreamMuxer {
  return (connection as Connection & { muxer: StreamMuxer }).muxer
}

async function disposableNode(): Promise<Awaited<ReturnType<typeof hostileNode>> & AsyncDisposable> {
  const node = await hostileNode()
  return Object.assign(node, { [Symbol.asyncDispose]: async () => node.stop() })
}
