/** Reloads the configuration on SIGHUP. Invariant: there is one reload at a time. */

/** The source of SIGHUP: `process`, or an event emitter in a test. */
export interface HangupSource {
  on(name: 'SIGHUP', listener: () => void): unknown
  off(name: 'SIGHUP', listener: () => void): unknown
}

/** The reloads of one run. */
export interface Reloads {
  /** Stops listening. */
  close(): void
}

/**
 * Calls `reload` for each SIGHUP, one call after the other. Signals during a reload cause one more. `reload`
 * must not reject.
 */
export function watchReloads(source: HangupSource, reload: () => Promise<void>): Reloads {
  let isReloading = false
  let isWanted = false
  const run = async (): Promise<void> => {
    isReloading = true
    while (isWanted) {
      isWanted = false
      await reload()
    }
    isReloading = false
  }
  const onHangup = (): void => {
    isWanted = true
    if (!isReloading) void run()
  }
  source.on('SIGHUP', onHangup)
  return {
    close: () => {
      isWanted = false
      source.off('SIGHUP', onHangup)
    },
  }
}
