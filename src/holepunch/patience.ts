/** How long an initiator waits for an exchange, which only the responder opens. */

/**
 * The wait, in milliseconds. A responder that waits for identify first needs two round trips before it starts; 10 s is
 * libp2p's timeout for these (`DEFAULT_PROTOCOL_NEGOTIATION_TIMEOUT`).
 */
const PATIENCE_MS = 10_000

/** The wait of one upgrade. */
export class Patience {
  readonly #onEnd: (failure: unknown) => void
  #timer: NodeJS.Timeout | undefined

  /** @param onEnd - called with what {@link begin} was given, when no exchange was opened in time */
  constructor(onEnd: (failure: unknown) => void) {
    this.#onEnd = onEnd
  }

  get isRunning(): boolean {
    return this.#timer !== undefined
  }

  begin(failure: unknown): void {
    this.#timer = setTimeout(() => this.#onEnd(failure), PATIENCE_MS)
    this.#timer.unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
