/** The limits as options of the command line. Each has a default in every profile, so none has one of its own. */

import { durationKind, integerKind, rateKind, sizeKind } from '../../src/config/quantities.ts'
import { printValue } from '../../src/config/kind.ts'
import type { Kind } from '../../src/config/kind.ts'
import { DEFAULT_PROFILE, profileNames, profiles } from './limits.ts'
import type { ImpliedValue } from '../../src/cli/command.ts'
import type { Limits, ProfileName } from './limits.ts'

const UNLIMITED = 'unlimited'

/** A quantity of which at least one is needed, or the word `unlimited`. */
function limited(kind: Kind<number>): Kind<number> {
  return {
    ...kind,
    placeholder: `${kind.placeholder}|${UNLIMITED}`,
    parse(text, place) {
      if (text === UNLIMITED) return Infinity
      const value = kind.parse(text, place)
      if (value < 1) throw new Error(`it would allow nothing; the word for no limit is ${UNLIMITED}`)
      return value
    },
    print: value => (value === Infinity ? UNLIMITED : printValue(kind, value)),
  }
}

const count = limited(integerKind)
const size = limited(sizeKind)
const duration = limited(durationKind)
const rate = limited(rateKind)

/** `--profile` and an option for each limit. */
export const limitOptions = {
  profile: {
    kind: 'choice',
    choices: profileNames,
    default: DEFAULT_PROFILE,
    doc: 'The limits to start from. open: anyone, within bounds of bandwidth. private: no bounds, for peers that show a token. public: 128 KiB and 2 min a circuit. custom: only the limits below',
  },
  maxConnections: { kind: count, optional: true, doc: 'Connections at once' },
  maxConnectionsPerNetwork: {
    kind: count,
    optional: true,
    doc: 'Connections at once from one IPv4 address or IPv6 /56',
  },
  maxReservations: {
    kind: count,
    optional: true,
    doc: 'Peers that may be reachable through this relay at once',
  },
  maxReservationsPerIpv4: { kind: count, optional: true, doc: 'Reservations from one IPv4 address' },
  maxReservationsPerIpv6Site: { kind: count, optional: true, doc: 'Reservations from one IPv6 /56' },
  maxCircuits: { kind: count, optional: true, doc: 'Circuits at once' },
  maxCircuitsPerPeer: { kind: count, optional: true, doc: 'Circuits at once that begin or end at one peer' },
  maxCircuitsPerPair: { kind: count, optional: true, doc: 'Circuits at once between two peers' },
  circuitBytes: {
    kind: size,
    name: 'circuit-data',
    optional: true,
    doc: 'What a circuit carries in each direction before it is reset',
  },
  circuitDurationMs: {
    kind: duration,
    name: 'circuit-duration',
    optional: true,
    doc: 'How long a circuit lasts before it is reset',
  },
  circuitBytesPerSecond: {
    kind: rate,
    name: 'circuit-rate',
    optional: true,
    doc: 'How fast one circuit may be',
  },
  peerBytesPerSecond: {
    kind: rate,
    name: 'peer-rate',
    optional: true,
    doc: 'How fast all circuits of one peer may be together',
  },
  totalBytesPerSecond: {
    kind: rate,
    name: 'total-rate',
    optional: true,
    doc: 'How fast all circuits may be together',
  },
  connectionsPerSecondPerIp: {
    kind: count,
    name: 'new-connections-per-ip',
    optional: true,
    doc: 'New connections a second from one IPv4 address or IPv6 /56',
  },
  reservationsPerSecondPerIp: {
    kind: count,
    name: 'new-reservations-per-ip',
    optional: true,
    doc: 'Requests for a reservation a second from one IPv4 address or IPv6 /56',
  },
  circuitsPerSecondPerIp: {
    kind: count,
    name: 'new-circuits-per-ip',
    optional: true,
    doc: 'Requests for a circuit a second from one IPv4 address or IPv6 /56',
  },
} as const

/** What the profile says of the limits that were not given by themselves. */
export function impliedLimits({ profile }: { readonly profile: ProfileName }): Record<string, ImpliedValue> {
  const { profile: _, ...options } = limitOptions
  const entries = Object.entries(options).map(([key, { kind }]) => {
    const text = printValue(kind, profiles[profile][key as keyof Limits])
    return [key, { text, from: `profile ${profile}` }]
  })
  return Object.fromEntries(entries) as Record<string, ImpliedValue>
}
