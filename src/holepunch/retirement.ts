/**
 * The farewell to a circuit that has been replaced by a direct connection: streams that are open on it finish, then it
 * is closed. Streams are never cut; a circuit with a stream that stays open stays as long, or as the relay allows.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, Logger } from '@libp2p/interface'

/**
 * How long a circuit stays at least, in milliseconds, for streams that the remote opens before it knows of the direct
 * connection. DCUtR.md asks for "a grace period"; 5 s is two round trips on the slowest circuit that a punch survives.
 */
const GRACE_MS = 5_000

/** How often a circuit is looked at, in milliseconds: streams come and go without an event. */
const POLL_MS = 1_000

/** Retires one circuit. */
export class CircuitRetirement {
  readonly #circuit: Connection
  readonly #direct: Connection
  readonly #log: Logger

  constructor(circuit: Connection, direct: Connection, log: Logger) {
    this.#circuit = circuit
    this.#direct = direct
    this.#log = log
  }

  /** Resolves when the circuit is closed, or kept because the direct connection died first. Never throws. */
  async run(): Promise<void> {
    await pause(GRACE_MS, undefined, { ref: false })
    while (this.#circuit.status === 'open' && this.#direct.status === 'open') {
      if (this.#circuit.streams.length === 0) return this.#close()
      await pause(POLL_MS, undefined, { ref: false })
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#circuit.close()
    } catch (error) {
      this.#log('the circuit did not close in time - %e', error)
      this.#circuit.abort(error as Error)
    }
  }
}
