/**
 * Turns SIGINT and SIGTERM into an abort signal, once. A second one does not wait for anybody.
 */

import { AbortError } from '@libp2p/interface'
import type { StopSignal } from './exit-codes.ts'
import { exitCodeOfSignal } from './exit-codes.ts'

/** Where signals come from: `process`, or an event emitter in a test. */
export interface SignalSource {
  on(name: StopSignal, listener: () => void): unknown
  off(name: StopSignal, listener: () => void): unknown
}

/** What {@link watchStopSignals} needs. */
export interface StopSignalsInit {
  readonly source: SignalSource
  /** Ends the process at once. */
  readonly exit: (code: number) => void
  /** Is told about the first signal. */
  readonly onStop: (signal: StopSignal) => void
}

/** The signals of one run. */
export interface StopSignals {
  /** Fires at the first signal. */
  readonly signal: AbortSignal
  /** The first signal, once it came. */
  readonly received: StopSignal | undefined
  /** From now on the first signal, too, ends the process at once: the work is done and only output is left. */
  hurry(): void
  /** Stops listening. */
  close(): void
}

/** Listens to SIGINT and SIGTERM until closed. */
export function watchStopSignals({ source, exit, onStop }: StopSignalsInit): StopSignals {
  const controller = new AbortController()
  let received: StopSignal | undefined
  let isHurried = false
  const stop = (name: StopSignal): void => {
    if (received !== undefined || isHurried) {
      exit(exitCodeOfSignal(name))
      return
    }
    received = name
    onStop(name)
    controller.abort(new AbortError(`Stopped by ${name}`))
  }
  const onInterrupt = (): void => stop('SIGINT')
  const onTerminate = (): void => stop('SIGTERM')
  source.on('SIGINT', onInterrupt)
  source.on('SIGTERM', onTerminate)
  return {
    signal: controller.signal,
    get received() {
      return received
    },
    hurry() {
      isHurried = true
    },
    close() {
      source.off('SIGINT', onInterrupt)
      source.off('SIGTERM', onTerminate)
    },
  }
}
