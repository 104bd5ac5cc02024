/** The hostile side, in a process of its own. Each attack is bounded in number and time. */

import { serve } from '../serve.ts'
import { holdCircuits, lockOut, silentCircuits } from './circuits.ts'
import { answerOwnStream, floodFrames } from './frames.ts'
import { inLanes } from './repeat.ts'
import { drip, halfRequests, newSockets, sendLength, silentSockets } from './sockets.ts'
import { fatIdentities, identifyAnswer, silentStreams, slowReservations, streamLength } from './streams.ts'

/** What it can be ordered to do. Each resolves with the bytes sent, some of which are estimates. */
const attacks = {
  answerOwnStream,
  drip,
  fatIdentities,
  floodFrames,
  halfRequests,
  holdCircuits,
  identifyAnswer,
  lockOut,
  newSockets,
  sendLength,
  silentCircuits,
  silentSockets,
  silentStreams,
  slowReservations,
  streamLength,
}

/** An order: what to do, and with what. */
export type Order = {
  [Name in keyof typeof attacks]: readonly [Name, Parameters<(typeof attacks)[Name]>[0]]
}[keyof typeof attacks]

/** Orders that are followed side by side. */
export interface Orders {
  /** Each is followed once. */
  once: readonly Order[]
  /** Each is followed again and again, with pauses, also if it fails. */
  again?: ReadonlyArray<{ order: Order; everyMs: number }>
  /** For how long. */
  seconds?: number
}

async function follow([name, args]: Order): Promise<number> {
  return (attacks[name] as (args: object) => Promise<number>)(args)
}

async function repeat(order: Order, everyMs: number, seconds: number): Promise<number> {
  let bytes = 0
  await inLanes({ count: 1, seconds, pauseMs: everyMs }, async () => {
    bytes += await follow(order)
  })
  return bytes
}

serve({
  attack: async ({ once, again = [], seconds = 0 }: Orders): Promise<number> => {
    const bytes = await Promise.all([
      ...once.map(follow),
      ...again.map(async ({ order, everyMs }) => repeat(order, everyMs, seconds)),
    ])
    return bytes.reduce((sum, it) => sum + it, 0)
  },
})
