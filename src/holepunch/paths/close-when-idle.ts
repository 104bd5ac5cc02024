/**
 * The farewell to a connection that another one has replaced: once nobody has used it for a while it is closed. Streams are never cut; a connection with a stream that
 * stays open stays as long, or as the relay allows.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, Logger } from '@libp2p/interface'

/**
 * How long a circuit is kept for streams that the remote opens before it knows of the direct connection, in milliseconds. DCUtR.md asks for "a grace period"; 5 s is two
 * round trips on the slowest circuit that a punch survives.
 */
const GRACE_MS = 5_000

/** How often a connection is looked at, in milliseconds: streams come and go without an event. */
const POLL_MS = 1_000

/** Retires one connection. */
export class CloseWhenIdle {
  readonly #connection: Connection
  readonly #successor: Connection
  readonly #log: Logger
  readonly #unusedMs: number

  /** @param unusedMs - how long it has had no stream when it is closed, in milliseconds */
  constructor(connection: Connection, successor: Connection, log: Logger, unusedMs: number = GRACE_MS) {
    this.#connection = connection
    this.#successor = successor
    this.#log = log
    this.#unusedMs = unusedMs
  }

  /** Resolves when the connection is closed, or kept because its successor died first. Never throws. */
  async run(): Promise<void> {
    let usedAt = performance.now()
    while (this.#connection.status === 'open' && this.#successor.status === 'open') {
      await pause(POLL_MS, undefined, { ref: false })
      if (this.#connection.streams.length > 0) usedAt = performance.now()
      else if (performance.now() - usedAt >= this.#unusedMs) return this.#close()
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#connection.close()
    } catch (error) {
      this.#log('%a did not close in time - %e', this.#connection.remoteAddr, error)
      this.#connection.abort(error as Error)
    }
  }
}
