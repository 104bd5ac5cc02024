/** The limits as options of the command line. The profile provides the defaults, so no option has its own. */

import { durationKind, integerKind, rateKind, sizeKind } from '../../src/config/kinds/quantities.ts'
import { printValue } from '../../src/config/kinds/kind.ts'
import type { Kind } from '../../src/config/kinds/kind.ts'
import type { OptionSpec } from '../../src/config/options.ts'
import { DEFAULT_PROFILE, profileNames, profiles } from './limits.ts'
import type { ImpliedValue } from '../../src/cli/command.ts'
import type { Limits, ProfileName } from './limits.ts'

const UNLIMITED = 'unlimited'

/** A quantity of at least 1, or the word `unlimited`. */
function limited(kind: Kind<number>): Kind<number> {
  return {
    ...kind,
    placeholder: `${kind.placeholder}|${UNLIMITED}`,
    parse(text, place) {
      if (text === UNLIMITED) return Infinity
      const value = kind.parse(text, place)
      if (value < 1) throw new Error(`expected at least 1, or ${UNLIMITED} for no limit`)
      return value
    },
    print: value => (value === Infinity ? UNLIMITED : printValue(kind, value)),
  }
}

const count = limited(integerKind)
const size = limited(sizeKind)
const duration = limited(durationKind)
const rate = limited(rateKind)

/** `--profile`, and one option for each limit. */
export const limitOptions = {
  profile: {
    kind: 'choice',
    choices: profileNames,
    default: DEFAULT_PROFILE,
    doc: 'The limits to start from. open: for anyone, with limited bandwidth. private: for peers that show a token, without limits on circuits. public: 128 KiB and 2 min per circuit. custom: only the limits below',
  },
  maxConnections: {
    kind: count,
    optional: true,
    doc: 'Simultaneous connections, including handshakes',
  },
  maxConnectionsPerNetwork: {
    kind: count,
    optional: true,
    doc: 'Simultaneous connections from one IPv4 address or IPv6 /56, including handshakes',
  },
  maxReservations: {
    kind: count,
    optional: true,
    doc: 'Simultaneous reservations: peers that are reachable through this relay. A peer has at most one',
  },
  maxReservationsPerIpv4: { kind: count, optional: true, doc: 'Reservations from one IPv4 address' },
  maxReservationsPerIpv6Site: { kind: count, optional: true, doc: 'Reservations from one IPv6 /56' },
  maxCircuits: { kind: count, optional: true, doc: 'Simultaneous circuits, including those being opened' },
  maxCircuitsPerPeer: {
    kind: count,
    optional: true,
    doc: 'Simultaneous circuits that start or end at one peer',
  },
  maxCircuitsPerPair: {
    kind: count,
    optional: true,
    doc: 'Simultaneous circuits between two peers, in both directions',
  },
  circuitBytes: {
    kind: size,
    name: 'circuit-data',
    optional: true,
    doc: 'Data that a circuit carries in each direction before the relay resets it',
  },
  circuitDurationMs: {
    kind: duration,
    name: 'circuit-duration',
    optional: true,
    doc: 'How long a circuit lasts before the relay resets it',
  },
  circuitBytesPerSecond: {
    kind: rate,
    name: 'circuit-rate',
    optional: true,
    doc: 'Bandwidth of one circuit, both directions together. Senders are slowed down, not cut',
  },
  peerBytesPerSecond: {
    kind: rate,
    name: 'peer-rate',
    optional: true,
    doc: 'Bandwidth of all circuits of one peer together',
  },
  totalBytesPerSecond: {
    kind: rate,
    name: 'total-rate',
    optional: true,
    doc: 'Bandwidth of all circuits together',
  },
  connectionsPerSecondPerIp: {
    kind: count,
    name: 'new-connections-per-ip',
    optional: true,
    doc: 'New connections per second from one IPv4 address or IPv6 /56',
  },
  reservationsPerSecondPerIp: {
    kind: count,
    name: 'new-reservations-per-ip',
    optional: true,
    doc: 'Requests for reservations per second from one IPv4 address or IPv6 /56',
  },
  circuitsPerSecondPerIp: {
    kind: count,
    name: 'new-circuits-per-ip',
    optional: true,
    doc: 'Requests for circuits per second from one IPv4 address or IPv6 /56',
  },
} as const satisfies Record<'profile' | keyof Limits, OptionSpec>

/** The limits that the chosen profile sets where no option does, as text for `--explain`. */
export function impliedLimits({ profile }: { readonly profile: ProfileName }): Record<string, ImpliedValue> {
  const { profile: _, ...options } = limitOptions
  const entries = Object.entries(options).map(([key, { kind }]) => {
    const text = printValue(kind, profiles[profile][key as keyof Limits])
    return [key, { text, from: `profile ${profile}` }]
  })
  return Object.fromEntries(entries) as Record<string, ImpliedValue>
}
