/** A forward that cannot listen, since another program has its port, does not keep the others from it: it is tried again. */

import { setTimeout as pause } from 'node:timers/promises'
import { printHostPort } from '../../../src/config/kinds/address-kinds.ts'
import { causesOf } from '../../../src/failures/causes.ts'
import { meaningOf, systemCodeOf } from '../../../src/failures/system-errors.ts'
import { Backoff } from '../../../src/time/backoff.ts'
import type { HostPort } from '../../../src/config/kinds/address-kinds.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { ForwardStatus } from '../../status/node-status.ts'

export interface KeepStartingInit {
  /** Listens, and resolves with what stops it. */
  start: () => Promise<AsyncDisposable>
  local: HostPort
  service: string
  entry: ForwardStatus
  output: Output
  /** Ends the tries. */
  signal: AbortSignal
}

/**
 * Resolves after the first try, whether it worked or not. What it resolves with stops the tries and the forward.
 *
 * @throws what `start` throws, unless it is an error of the system
 */
export async function keepStarting(init: KeepStartingInit): Promise<AsyncDisposable> {
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, init.signal])
  const reports = new Reports(init)
  let started: AsyncDisposable | undefined
  try {
    return await init.start()
  } catch (error) {
    reports.add(error as Error)
  }
  const trying = (async () => {
    while (started === undefined && !signal.aborted) {
      await pause(reports.retryInMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        started = await init.start()
      } catch (error) {
        if (signal.aborted) return
        reports.add(error as Error)
      }
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      // an error that is none of the system's has been thrown at the first try, where it was
      await trying.catch(() => {})
      await started?.[Symbol.asyncDispose]()
    },
  }
}

/** People read a reason once, programs each try. */
class Reports {
  readonly #init: KeepStartingInit
  readonly #backoff = new Backoff()
  #told = ''
  retryInMs = 0

  constructor(init: KeepStartingInit) {
    this.#init = init
  }

  /** @throws the error, if it is not one of the system */
  add(error: Error): void {
    const code = [...causesOf(error)].map(systemCodeOf).find(it => it !== undefined)
    if (code === undefined) throw error
    const { local, service, entry, output } = this.#init
    const reason = `${meaningOf(code)} (${code})`
    this.retryInMs = this.#backoff.next()
    entry.onNotListening(reason)
    const human = `Cannot listen on ${printHostPort(local)}, for ${service}: ${reason}; trying again until it works`
    const fields = { service, ...local, error: error.message, retryInMs: this.retryInMs }
    output.event('forward:failed', fields, reason === this.#told ? undefined : human)
    this.#told = reason
  }
}
