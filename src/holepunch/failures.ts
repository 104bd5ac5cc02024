/** The next step after each reason for which an attempt has failed. */

import type { HolePunchFailedError, HolePunchFailure } from '../errors.ts'

/**
 * - `retry`: timing may have been at fault, so another attempt in the same upgrade can help
 * - `reverse`: the two did not get as far as to punch, so one may dial the other's own addresses
 * - `later`: this upgrade has failed; another one can succeed after a pause
 * - `much-later`: more time has to pass than an upgrade has, so it does not wait for the remote either
 * - `never`: nothing changes by itself
 */
type NextStep = 'retry' | 'reverse' | 'later' | 'much-later' | 'never'

const nextSteps: Readonly<Record<HolePunchFailure, NextStep>> = {
  'not-supported': 'reverse',
  'cannot-share-port': 'never',
  'no-local-candidates': 'reverse',
  'no-remote-candidates': 'reverse',
  refused: 'retry',
  'timed-out': 'retry',
  'wrong-peer': 'later',
  throttled: 'much-later',
  'lossy-path': 'much-later',
  protocol: 'retry',
  'circuit-closed': 'later',
  stopped: 'never',
}

/** A connection can be reversed where the two did not get as far as to punch. */
export function needsReversal(error: unknown): boolean {
  return stepAfter(error) === 'reverse'
}

/** The remote does not speak DCUtR, or not yet. */
export function isNotSupported(error: unknown): boolean {
  return reasonOf(error) === 'not-supported'
}

/** Time has to pass before another attempt can succeed, more than an upgrade has. */
export function isHopeless(error: unknown): boolean {
  return stepAfter(error) === 'much-later'
}

/** Another attempt can only help where timing may have been at fault. An error without a reason may be such a case. */
export function isWorthRetrying(error: unknown): boolean {
  return reasonOf(error) === undefined || stepAfter(error) === 'retry'
}

/** No later upgrade succeeds either. */
export function isFinal(reason: HolePunchFailure): boolean {
  return nextSteps[reason] === 'never'
}

function stepAfter(error: unknown): NextStep | undefined {
  const reason = reasonOf(error)
  return reason === undefined ? undefined : nextSteps[reason]
}

function reasonOf(error: unknown): HolePunchFailure | undefined {
  return (error as Partial<HolePunchFailedError> | undefined)?.reason
}
