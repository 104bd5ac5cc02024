/**
 * A relay that means harm. It speaks circuit-relay v2 well enough to be given reservations and circuits, lies about the
 * address that it sees (`observed`) and about its own (`claims`), and does to the bytes of circuits what `vice` says:
 *
 * - `honest`: nothing
 * - `drop`: takes pieces out
 * - `duplicate`: sends pieces twice
 * - `swap`: sends two pieces in the other order
 * - `tamper`: changes a bit
 * - `stall`: passes nothing on any more
 *
 * It begins with that after `after` bytes of a direction, so that the circuit comes about first.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import * as Digest from 'multiformats/hashes/digest'
import {
  HopMessage,
  HopType,
  Status,
  StopMessage,
  StopType,
} from '../../src/protocols/circuit-relay/messages.ts'
import { field, framed, HOP, STOP } from '../network/hop-client.ts'
import { serve } from './requests.ts'
import type { Libp2p, PeerId, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Actions } from './requests.ts'

export type Vice = 'honest' | 'drop' | 'duplicate' | 'swap' | 'tamper' | 'stall'

interface Harm {
  vice: Vice
  after: number
  /** What the relay claims to see, an address without a peer id. */
  observed?: string
  /** More addresses that the relay claims to have. */
  claims?: string[]
}

/** Seconds for which reservations are promised. */
const RESERVED_SECONDS = 3_600

let harm: Harm = { vice: 'honest', after: 0 }

const actions: Actions = {
  relay: async ({ listen, ...told }: { listen: string[] } & Harm) => {
    harm = { ...harm, ...told }
    const node = await createLibp2p({
      // public addresses are told only where somebody vouches for them
      addresses: { listen, announce: listen },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 1000 },
    })
    closers.push(async () => node.stop())
    const limits = { maxInboundStreams: 1000, maxOutboundStreams: 1000 }
    await node.handle(HOP, async (stream, { remotePeer }) => answer(node, stream, remotePeer), limits)
    await node.handle('/ipfs/id/1.0.0', async (stream, { remoteAddr }) => {
      stream.send(framed(identityOf(node, harm.observed ?? remoteAddr.toString())))
      await stream.close()
    })
    return { addrs: node.getMultiaddrs().map(String) }
  },

  /** Changes what is done to circuits from now on, those that are open included. */
  harm: async (told: Harm) => {
    harm = { ...harm, ...told }
    return {}
  },
}

const closers: Array<() => Promise<void>> = []

// https://github.com/libp2p/specs/blob/master/identify/README.md#the-identify-message
function identityOf(node: Libp2p, observed: string): Buffer {
  const publicKey = node.peerId.publicKey
  if (publicKey === undefined) throw new Error('the relay has no public key')
  return Buffer.concat([
    field(1, publicKeyToProtobuf(publicKey)),
    ...addrsOf(node).map(addr => field(2, addr.bytes)),
    ...[HOP, '/ipfs/id/1.0.0'].map(protocol => field(3, Buffer.from(protocol))),
    field(4, multiaddr(observed).bytes),
    field(5, Buffer.from('ipfs/0.1.0')),
    field(6, Buffer.from('hostile')),
  ])
}

/** Where it is, and where it claims to be. */
function addrsOf(node: Libp2p): Multiaddr[] {
  const claims = (harm.claims ?? []).map(addr => multiaddr(`${addr}/p2p/${node.peerId}`))
  return [...node.getMultiaddrs(), ...claims]
}

async function answer(node: Libp2p, stream: Stream, from: PeerId): Promise<void> {
  try {
    const lp = lpStream(stream)
    const request = HopMessage.decode((await lp.read()).subarray())
    if (request.type === HopType.RESERVE) {
      await lp.write(HopMessage.encode(reservation(node)))
      await stream.close()
      return
    }
    const to = peerIdFromMultihash(Digest.decode(request.peer?.id ?? new Uint8Array()))
    const other = await openStop(node, from, to)
    await lp.write(HopMessage.encode({ type: HopType.STATUS, status: Status.OK }))
    const back = lp.unwrap()
    carry(back, other)
    carry(other, back)
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`)
    stream.abort(error as Error)
  }
}

function reservation(node: Libp2p): Parameters<typeof HopMessage.encode>[0] {
  const expire = Math.floor(Date.now() / 1000) + RESERVED_SECONDS
  const addrs = addrsOf(node).map(addr => addr.bytes)
  return { type: HopType.STATUS, status: Status.OK, reservation: { expire, addrs } }
}

async function openStop(node: Libp2p, from: PeerId, to: PeerId): Promise<Stream> {
  const [connection] = node.getConnections(to)
  if (connection === undefined) throw new Error(`${to} is not connected`)
  const stream = await connection.newStream(STOP, { maxOutboundStreams: 1000 })
  const lp = lpStream(stream)
  await lp.write(
    StopMessage.encode({ type: StopType.CONNECT, peer: { id: from.toMultihash().bytes, addrs: [] } }),
  )
  const { status } = StopMessage.decode((await lp.read()).subarray())
  if (status !== Status.OK) throw new Error(`${to} said ${status}`)
  return lp.unwrap()
}

/** Passes on what comes from one side, with its harm. */
function carry(from: Stream, to: Stream): void {
  let carried = 0
  let heldBack: Uint8Array | undefined
  const onMessage = ({ data }: StreamMessageEvent): void => {
    const bytes = Uint8Array.from(data.subarray())
    carried += bytes.byteLength
    for (const piece of carried < harm.after ? [bytes] : harmed(bytes))
      if (to.status === 'open') to.send(piece)
  }
  const harmed = (bytes: Uint8Array): Uint8Array[] => {
    const isTurn = Math.random() < 0.5
    switch (harm.vice) {
      case 'honest':
        return [bytes]
      case 'stall':
        return []
      case 'drop':
        return isTurn ? [] : [bytes]
      case 'duplicate':
        return isTurn ? [bytes, bytes] : [bytes]
      case 'tamper':
        if (isTurn) bytes[Math.floor(Math.random() * bytes.length)]! ^= 1
        return [bytes]
      case 'swap': {
        const before = heldBack
        heldBack = before === undefined ? bytes : undefined
        return before === undefined ? [] : [bytes, before]
      }
    }
  }
  from.addEventListener('message', onMessage)
  from.addEventListener('close', ({ error }) => to.abort(error ?? new Error('the other side is gone')))
  from.addEventListener('remoteCloseWrite', () => void to.close().catch(() => {}))
}

await serve(actions)
await Promise.all(closers.map(async close => close()))
