/**
 * Turns the first SIGINT, SIGTERM or, for a command that does not reload, SIGHUP into an abort signal. A
 * second one ends the process immediately.
 */

import { AbortError } from '@libp2p/interface'
import type { StopSignal } from '../exit-codes.ts'
import { exitCodeOfSignal } from '../exit-codes.ts'

/** The source of signals: `process`, or an event emitter in a test. */
export interface SignalSource {
  on(name: StopSignal, listener: () => void): unknown
  off(name: StopSignal, listener: () => void): unknown
}

/** What {@link watchStopSignals} needs. */
export interface StopSignalsInit {
  readonly source: SignalSource
  /** The signals to listen to. */
  readonly names: readonly StopSignal[]
  /** Ends the process immediately. */
  readonly exit: (code: number) => void
  /** Called for the first signal. */
  readonly onStop: (signal: StopSignal) => void
}

/** The signals of one run. */
export interface StopSignals {
  /** Fires at the first signal. */
  readonly signal: AbortSignal
  /** The first signal. `undefined` before it. */
  readonly received: StopSignal | undefined
  /** From now on even the first signal ends the process immediately, because only output is left to do. */
  hurry(): void
  /** Stops listening. */
  close(): void
}

/** Listens to the signals until closed. */
export function watchStopSignals({ source, names, exit, onStop }: StopSignalsInit): StopSignals {
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
  const listeners = names.map(name => [name, () => stop(name)] as const)
  for (const [name, listener] of listeners) source.on(name, listener)
  return {
    signal: controller.signal,
    get received() {
      return received
    },
    hurry() {
      isHurried = true
    },
    close() {
      for (const [name, listener] of listeners) source.off(name, listener)
    },
  }
}
