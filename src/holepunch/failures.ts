/** What to do next, by why an attempt has failed. */

import type { HolePunchFailedError } from '../errors.ts'

/** A connection can be reversed where the two did not get as far as to punch. */
export function needsReversal(error: unknown): boolean {
  const { reason } = (error ?? {}) as Partial<HolePunchFailedError>
  return reason === 'not-supported' || reason === 'no-local-candidates' || reason === 'no-remote-candidates'
}

/** The remote does not speak DCUtR, or not yet. */
export function isNotSupported(error: unknown): boolean {
  return (error as Partial<HolePunchFailedError> | undefined)?.reason === 'not-supported'
}

/** Time has to pass before another attempt can succeed, more than an upgrade has. */
export function isHopeless(error: unknown): boolean {
  const { reason } = error as Partial<HolePunchFailedError>
  return reason === 'throttled' || reason === 'lossy-path'
}

/** Another attempt can only help where timing may have been at fault. */
export function isWorthRetrying(error: unknown): boolean {
  const { reason } = error as Partial<HolePunchFailedError>
  return reason === 'timed-out' || reason === 'refused' || reason === 'protocol' || reason === undefined
}
