/**
 * Peers that open circuits and close them, one after the other, as fast as they can: over each goes one message there and one back.
 * All of them come with new identities, and leave, in each batch, so that the relay meets strangers all the time.
 */

import { once } from 'node:events'
import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { pbStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HopType, Status, StopMessage, StopType } from '../../src/protocols/circuit-relay/messages.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { requestOf } from './hop-request.ts'
import { serve } from './serve.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'

/** One batch. */
export interface Churn {
  relayAddr: string
  /** Pairs of peers, each of which has one circuit at a time. */
  pairs: number
  circuitsEach: number
}

const MESSAGE = Buffer.alloc(1024, 7)

serve({ churn })

async function churn({ relayAddr, pairs, circuitsEach }: Churn): Promise<void> {
  await Promise.all(Array.from({ length: pairs }, async () => churnPair(relayAddr, circuitsEach)))
}

async function churnPair(relayAddr: string, circuits: number): Promise<void> {
  const [initiator, responder] = [await startNode(), await startNode()]
  await responder.handle(RELAY_V2_STOP_CODEC, echo)
  const reservation = await (await responder.dial(multiaddr(relayAddr))).newStream(RELAY_V2_HOP_CODEC)
  await requestOf(reservation, { type: HopType.RESERVE })
  await reservation.close()
  const connection = await initiator.dial(multiaddr(relayAddr))
  const id = responder.peerId.toMultihash().bytes
  for (let i = 0; i < circuits; i++) await useCircuit(connection, id)
  await Promise.all([initiator.stop(), responder.stop()])
}

async function useCircuit(connection: Connection, id: Uint8Array): Promise<void> {
  const stream = await connection.newStream(RELAY_V2_HOP_CODEC)
  const circuit = await requestOf(stream, { type: HopType.CONNECT, peer: { id, addrs: [] } })
  const ended = once(circuit, 'remoteCloseWrite')
  let bytes = 0
  circuit.addEventListener('message', ({ data }) => {
    bytes += data.byteLength
  })
  circuit.send(MESSAGE)
  await circuit.close()
  await ended
  if (bytes !== MESSAGE.byteLength) throw new Error(`${bytes} bytes came back`)
}

async function startNode(): Promise<Libp2p> {
  return createLibp2p({
    ...commonOptions({ privateKey: await ephemeralIdentity(), identify: { runOnConnectionOpen: false } }),
    transports: [tcp()],
    connectionMonitor: { enabled: false },
  })
}

async function echo(stream: Stream): Promise<void> {
  const messages = pbStream(stream)
  await messages.read(StopMessage)
  await messages.write({ type: StopType.STATUS, status: Status.OK }, StopMessage)
  const circuit = messages.unwrap()
  circuit.addEventListener('message', ({ data }) => circuit.send(data))
  circuit.addEventListener('remoteCloseWrite', () => void circuit.close().catch(() => {}))
}
