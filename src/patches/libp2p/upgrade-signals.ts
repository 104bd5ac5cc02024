/**
 * Ends an inbound upgrade in a time that does not depend on how many others are pending.
 *
 * Fault of `libp2p` 3.3.11: each upgrade adds a listener to the signal that all upgrades of a transport share
 * (upgrader.ts, `createInboundAbortSignal`). Node.js goes through all listeners to add or to remove one, so
 * that each silent socket makes all further ones more expensive. The signal of the timeout stays until its
 * time is over, also where the upgrade has ended.
 *
 * Upstream issue: not reported.
 */

import { setMaxListeners } from 'main-event'
import { shapeCheck } from '../expect-shape.ts'
import type { ClearableSignal, Upgrader } from '@libp2p/interface'

/** What is behind the interface of the upgrader. */
interface OwnUpgrader extends Upgrader {
  readonly inboundUpgradeTimeout: number
}

const assertShape = shapeCheck('libp2p', {
  createInboundAbortSignal: 'function',
  inboundUpgradeTimeout: 'number',
})

const patched = new WeakSet<Upgrader>()

/** The pending upgrades of each transport, by the signal that they share. */
const pending = new WeakMap<AbortSignal, Set<AbortController>>()

/**
 * Patches the upgrader of a node. A second call does nothing.
 *
 * @throws {UpstreamChangedError}
 */
export function separateUpgradeSignals(upgrader: Upgrader): void {
  if (patched.has(upgrader)) return
  assertShape(upgrader)
  patched.add(upgrader)
  const { inboundUpgradeTimeout } = upgrader as OwnUpgrader
  upgrader.createInboundAbortSignal = shared => upgradeSignal(shared, inboundUpgradeTimeout)
}

/** A signal that fires with the one that is shared, or when the time is over, unless it has been cleared before. */
function upgradeSignal(shared: AbortSignal, timeoutMs: number): ClearableSignal {
  const controller = new AbortController()
  const { signal } = controller
  setMaxListeners(Infinity, signal)
  if (shared.aborted) controller.abort(shared.reason)
  const upgrades = pendingWith(shared)
  upgrades.add(controller)
  const onTimeout = (): void =>
    controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  const timer = setTimeout(onTimeout, timeoutMs).unref()
  const clear = (): void => {
    clearTimeout(timer)
    upgrades.delete(controller)
  }
  return Object.assign(signal, { clear })
}

function pendingWith(shared: AbortSignal): Set<AbortController> {
  const known = pending.get(shared)
  if (known !== undefined) return known
  const upgrades = new Set<AbortController>()
  pending.set(shared, upgrades)
  const onAbort = (): void => {
    for (const it of upgrades) it.abort(shared.reason)
  }
  shared.addEventListener('abort', onAbort, { once: true })
  return upgrades
}
