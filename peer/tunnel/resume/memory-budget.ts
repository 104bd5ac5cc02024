/** What the tunnels of one node may hold in memory, all together, beyond what each of them has by right. */

/** What each direction of a stream may hold whatever the others do, in bytes: as much as one read of a socket brings, so that none stands still. */
export const FLOOR_BYTES = 64 * 1024

/**
 * What each direction of a stream may hold at the most, in bytes: what is in flight at 160 Mbit/s and 200 ms. The streams that carry it let a sender run no further ahead
 * (`MAX_WINDOW_BYTES` of src/muxer/muxer.ts).
 */
export const CEILING_BYTES = 4 * 1024 * 1024

/** What a tunnel's memory is taken from. */
export interface Budget {
  /** There is nothing for it beyond what it has by right. */
  readonly isSpent: boolean
  /** Takes bytes, or gives them back when negative. */
  spend(bytes: number): void
}

export class MemoryBudget implements Budget {
  #left: number
  readonly #shares = new Map<string, number>()

  /** @param bytes 256 MiB unless given */
  constructor(bytes = 256 * 1024 * 1024) {
    this.#left = bytes
  }

  get isSpent(): boolean {
    return this.#left <= 0
  }

  spend(bytes: number): void {
    this.#left -= bytes
  }

  /** What the tunnels of one peer may take: together as much as they leave, so that there is something for whoever comes next. */
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
