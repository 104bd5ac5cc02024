/** From where an IP address can be reached. */

import ipaddr from 'ipaddr.js'

/** RFC 6335 section 6: the ports below are those of system services, a router's pages among them. No peer is given one. */
export const FIRST_USER_PORT = 1024

/** Where an address can be reached from. `unusable` ones are never dialled, nor offered. */
export type Scope = 'public' | 'private' | 'loopback' | 'unusable'

// ranges of ipaddr.js in which hosts of one site reach each other
const PRIVATE_RANGES = new Set(['private', 'uniqueLocal', 'carrierGradeNat'])

/** The scope of a numeric host; a name is `unusable`. */
export function scopeOf(host: string): Scope {
  if (!ipaddr.isValid(host)) return 'unusable'
  const range = ipaddr.parse(host).range()
  if (range === 'unicast') return 'public'
  if (range === 'loopback') return 'loopback'
  return PRIVATE_RANGES.has(range) ? 'private' : 'unusable'
}
