/** The memory budget that the tunnels of one node share, in addition to a guaranteed minimum for each. */

/**
 * Guaranteed memory of each direction of a stream, in bytes: as much as one read of a socket returns, so that
 * no stream stalls.
 */
export const FLOOR_BYTES = 64 * 1024

/**
 * Most memory of each direction of a stream, in bytes: the data in flight at 160 Mbit/s and 200 ms. A
 * carrier's window is not larger (`MAX_WINDOW_BYTES` of src/muxer/muxer.ts).
 */
export const CEILING_BYTES = 4 * 1024 * 1024

/** The source of a tunnel's memory. */
export interface Budget {
  /** True if only the guaranteed minimum is available. */
  readonly isSpent: boolean
  /** Takes bytes. A negative number returns them. */
  spend(bytes: number): void
}

export class MemoryBudget implements Budget {
  #left: number
  readonly #shares = new Map<string, number>()

  /** @param bytes - 256 MiB by default */
  constructor(bytes = 256 * 1024 * 1024) {
    this.#left = bytes
  }

  get isSpent(): boolean {
    return this.#left <= 0
  }

  spend(bytes: number): void {
    this.#left -= bytes
  }

  /**
   * The part for the tunnels of one peer: at most as much as it leaves for others, so that a new peer always
   * gets some.
   */
  share(peerId: string): Budget {
    const shares = this.#shares
    const isSpent = (): boolean => this.#left <= (shares.get(peerId) ?? 0)
    return {
      get isSpent() {
        return isSpent()
      },
      spend: bytes => {
        this.spend(bytes)
        const taken = (shares.get(peerId) ?? 0) + bytes
        if (taken > 0) shares.set(peerId, taken)
        else shares.delete(peerId)
      },
    }
  }
}
