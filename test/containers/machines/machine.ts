/** What the machines' programs have in common: devices found by address, `ip`, events on stdout, and an end. */

import { execFileSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'

/** Tells the tests, as the programs under test do: one line of JSON. */
export function report(event: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...fields })}\n`)
}

/** A variable that compose.yaml sets. */
export function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set`)
  return value
}

/** The device that has this address: Docker's names depend on the order in which networks were connected. */
export function deviceOf(address: string): string | undefined {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(each => each.address === address),
  )
  return found?.[0]
}

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' })
}

/** Ends at once on SIGTERM, which the kernel keeps from a container's first process unless it asks for it. */
export function endOnSignal(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
}
