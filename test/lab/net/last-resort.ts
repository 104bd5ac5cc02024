/**
 * Removes networks that are still open when their process ends, be it by `process.exit` or by a signal.
 *
 * The signal handlers do not change what a signal does: they run once, clean up, and let it through. Against
 * SIGKILL nothing helps but the sweep at the next start (`sweepNamespaces`).
 */
interface Abandonable {
  abandon(): void
}

const open = new Set<Abandonable>()
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Watches over a network until it is released. */
export function guard(network: Abandonable): void {
  if (open.size === 0) {
    process.on('exit', abandonAll)
    for (const signal of SIGNALS) process.once(signal, dieCleanly)
  }
  open.add(network)
}

/** The network has removed itself. */
export function release(network: Abandonable): void {
  if (open.delete(network) && open.size === 0) stopWatching()
}

function abandonAll(): void {
  for (const network of open) network.abandon()
  open.clear()
  stopWatching()
}

function dieCleanly(signal: NodeJS.Signals): void {
  abandonAll()
  // Somebody else's handler decides; without one, the signal must end the process as if we were not here.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function stopWatching(): void {
  process.off('exit', abandonAll)
  for (const signal of SIGNALS) process.off(signal, dieCleanly)
}
