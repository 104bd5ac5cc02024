/** Reads the configuration again when SIGHUP comes, one time after the other. */

/** Where SIGHUP comes from: `process`, or an event emitter in a test. */
export interface HangupSource {
  on(name: 'SIGHUP', listener: () => void): unknown
  off(name: 'SIGHUP', listener: () => void): unknown
}

/** The reloads of one run. */
export interface Reloads {
  /** Stops listening. */
  close(): void
}

/** Calls `reload` for each SIGHUP, never two at once; those that come meanwhile are one more. It must not throw. */
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
