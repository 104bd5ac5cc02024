/** What the tunnels of one node may hold in memory, all together, beyond what each of them has by right. */

/** What each direction of a stream may hold whatever the others do, in bytes: as much as one read of a socket brings, so that none stands still. */
export const FLOOR_BYTES = 64 * 1024

/**
 * What each direction of a stream may hold at the most, in bytes: what is in flight at 160 Mbit/s and 200 ms. The streams that carry it let a sender run no further ahead
 * (`STREAM_WINDOW_BYTES` of src/node.ts).
 */
export const CEILING_BYTES = 4 * 1024 * 1024

export class MemoryBudget {
  #left: number

  /** @param bytes 256 MiB unless given */
  constructor(bytes = 256 * 1024 * 1024) {
    this.#left = bytes
  }

  get isSpent(): boolean {
    return this.#left <= 0
  }

  /** Takes bytes, or gives them back when negative. */
  spend(bytes: number): void {
    this.#left -= bytes
  }
}
