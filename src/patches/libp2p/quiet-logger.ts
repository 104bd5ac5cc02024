/**
 * A logger for programs that nobody debugs.
 *
 * Fault of `libp2p` 3.3.11: it makes a logger for each connection and each stream, also where nobody listens.
 * On a relay with 2500 reservations they were a sixth of its memory, and an eighth of the processor time to
 * set one up (measured). The patch is the public option `logger`, so there is no shape to check: the type
 * checker holds it to the interface.
 *
 * Upstream issue: not reported. The loggers came with https://github.com/libp2p/js-libp2p/pull/3215
 */

import type { ComponentLogger, Logger } from '@libp2p/interface'

const ignore = (): void => {}

const silent: Logger = Object.assign(ignore, {
  error: ignore,
  trace: ignore,
  enabled: false,
  newScope: () => silent,
})

/** The logger for a program: libp2p's own (`undefined`) if the variable `DEBUG` is set, else a silent one. */
export function quietLogger(): ComponentLogger | undefined {
  const { DEBUG = '' } = process.env
  return DEBUG === '' ? { forComponent: () => silent } : undefined
}
