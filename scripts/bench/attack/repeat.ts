/** What attackers do again and again, in number and in time bounded. */

import { setTimeout as pause } from 'node:timers/promises'

/** How often something is done. */
export interface Lanes {
  /** How many times side by side. */
  count: number
  seconds: number
  /** Between the end of one and the start of the next, in milliseconds. */
  pauseMs: number
}

/** How often something is started. */
export interface Rate {
  perSecond: number
  seconds: number
}

/** Does something in lanes until the time is over, or `end` is. What is still open then stays so. */
export async function inLanes(
  { count, seconds, pauseMs }: Lanes,
  attempt: () => Promise<unknown>,
  end?: Promise<unknown>,
): Promise<void> {
  let isOver = false
  const time = pause(seconds * 1000)
  const over = Promise.race(end === undefined ? [time] : [time, end]).then(() => (isOver = true))
  const lane = async (): Promise<void> => {
    while (!isOver) {
      await Promise.race([attempt().catch(() => {}), over])
      await Promise.race([pause(pauseMs), over])
    }
  }
  await Promise.all(Array.from({ length: count }, lane))
}

/** Starts something at a rate, however long each takes. Starts that are late are made up for. Resolves with their number. */
export async function atRate({ perSecond, seconds }: Rate, attempt: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  let started = 0
  for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - startedAt) / 1000) {
    for (; started < elapsed * perSecond; started++) void attempt().catch(() => {})
    await pause(1000 / perSecond)
  }
  return started
}

/** Resolves when a connection or a stream has ended. */
export async function ended(it: {
  readonly status: string
  addEventListener(name: 'close', onClose: () => void, options: { once: true }): void
}): Promise<void> {
  if (it.status === 'open')
    await new Promise<void>(resolve => it.addEventListener('close', resolve, { once: true }))
}
