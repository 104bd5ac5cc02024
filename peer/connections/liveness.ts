/** Asks whether the other end of a connection is there. */

import { setTimeout as pause } from 'node:timers/promises'
import { TimeoutError } from '@libp2p/interface'
import { awaitAnswer } from '../../src/protocols/ping.ts'
import type { Connection } from '@libp2p/interface'

/**
 * Time for the answer: a slow round trip, and a packet that is lost and sent again. It is waited for in steps, in milliseconds: a program that was busy for seconds, or
 * slept, gets to read an answer that has come before its time is over.
 */
const PATIENCE = { steps: 3, stepMs: 1_000 } as const

/** Resolves when the other end has answered. Throws if it does not, or when `signal` fires. */
export async function checkPresence(connection: Connection, signal: AbortSignal): Promise<void> {
  const [over, answered] = [new AbortController(), new AbortController()]
  void patience(answered.signal).then(
    () => over.abort(new TimeoutError('The other end does not answer')),
    () => {},
  )
  try {
    await awaitAnswer(connection, { signal: AbortSignal.any([signal, over.signal]) })
  } finally {
    answered.abort()
  }
}

async function patience(signal: AbortSignal): Promise<void> {
  for (let step = 0; step < PATIENCE.steps; step++)
    await pause(PATIENCE.stepMs, undefined, { signal, ref: false })
}
