/**
 * Finds what somebody meant: the known name nearest to an unknown one.
 *
 * The contract is that an unknown name always comes with a known one, however far it is.
 */

import { closest } from 'fastest-levenshtein'

/** Completes "unknown ...": the nearest name in quotes, or nothing when no names are known. */
export function nearestHint(name: string, known: readonly string[]): string {
  return known.length === 0 ? '' : `; the nearest known is ${JSON.stringify(closest(name, known))}`
}
