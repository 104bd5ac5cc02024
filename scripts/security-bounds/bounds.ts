/** What bounds those who are not trusted. Each number is a constant of the source. */

import { defaultLimits } from '../../peer/tunnel/listener/service-limits.ts'
import { constantIn } from './constant.ts'
import type { Constant } from './constant.ts'

/** A row of the table in docs/security-model.md. */
export interface Bound {
  readonly what: string
  readonly limit: string
  /** The files that have the numbers. */
  readonly paths: readonly string[]
}

/** The rows, by who is bounded. */
export const bounds: Readonly<Record<string, readonly Bound[]>> = {
  'A stranger, or a named peer, at a peer': [
    bound(
      'wrong tickets of one peer',
      [
        constantIn('peer/tickets/ticket-book.ts', 'GUESSES.capacity'),
        constantIn('peer/tickets/ticket-book.ts', 'GUESSES.perSecond'),
      ],
      (capacity, perSecond) => `${capacity}, then one every ${1 / perSecond} s`,
    ),
    bound(
      'secret of a ticket',
      [constantIn('peer/tickets/ticket.ts', 'KEY_BYTES')],
      bytes => `${bytes * 8} random bits`,
    ),
    bound(
      'size of a request for a service',
      [constantIn('peer/tunnel/wire/message.ts', 'MAX_MESSAGE_BYTES')],
      size,
    ),
    {
      what: 'time for a request for a service',
      limit: `${defaultLimits.requestMs / 1000} s`,
      paths: ['peer/tunnel/listener/service-limits.ts'],
    },
    {
      what: 'forwarded connections of one peer',
      limit: String(defaultLimits.connectionsPerPeer),
      paths: ['peer/tunnel/listener/service-limits.ts'],
    },
    {
      what: 'forwarded connections of all named peers; and of all other peers',
      limit: `${defaultLimits.connections} each`,
      paths: ['peer/tunnel/listener/service-limits.ts'],
    },
    bound('streams of one connection', [constantIn('peer/node/libp2p.ts', 'MAX_STREAMS')], String),
    bound(
      'bytes that a stream may have in flight',
      [constantIn('src/muxer/muxer.ts', 'MAX_WINDOW_BYTES')],
      size,
    ),
  ],
  'A remote peer that names addresses to punch': [
    bound('addresses of one attempt', [constantIn('src/holepunch/candidates.ts', 'MAX_CANDIDATES')], String),
    bound(
      'dials of one address in an attempt; of a private one',
      [
        constantIn('src/holepunch/punch/redial.ts', 'MAX_DIALS'),
        constantIn('src/holepunch/punch/redial.ts', 'MAX_PRIVATE_DIALS'),
      ],
      (most, mostPrivate) => `${most}; ${mostPrivate}`,
    ),
    bound(
      'dials of one IP address, for all remote peers',
      [
        constantIn('src/holepunch/punch/punch-budget.ts', 'DIALS_PER_ADDRESS'),
        constantIn('src/holepunch/punch/punch-budget.ts', 'DIALS_PER_SECOND'),
      ],
      (burst, perSecond) => `${burst}, then ${perSecond} per second`,
    ),
    bound(
      'dials in all',
      [
        constantIn('src/holepunch/punch/punch-budget.ts', 'DIALS_IN_ALL'),
        constantIn('src/holepunch/punch/punch-budget.ts', 'DIALS_IN_ALL_PER_SECOND'),
      ],
      (burst, perSecond) => `${burst}, then ${perSecond} per second`,
    ),
    bound(
      'attempts of one remote peer that fail',
      [
        constantIn('src/holepunch/punch/punch-budget.ts', 'ATTEMPTS_PER_REMOTE'),
        constantIn('src/holepunch/punch/punch-budget.ts', 'ATTEMPTS_PER_REMOTE_PER_SECOND'),
      ],
      (burst, perSecond) => `${burst}, then one every ${Math.round(1 / perSecond)} s`,
    ),
  ],
  'A stranger at a relay': [
    bound(
      'size of a request',
      [constantIn('src/protocols/circuit-relay/messages.ts', 'MAX_MESSAGE_BYTES')],
      size,
    ),
    bound(
      'time for a request; requests that one connection may have open, beside its circuits',
      [
        constantIn('relay/hop/hop-service.ts', 'REQUEST_TIMEOUT_MS'),
        constantIn('relay/hop/hop-service.ts', 'PENDING_REQUESTS'),
      ],
      (ms, count) => `${ms / 1000} s; ${count}`,
    ),
    bound(
      'wrong tokens of one IPv4 address or IPv6 /56',
      [
        constantIn('relay/admission/tokens.ts', 'GUESSES.capacity'),
        constantIn('relay/admission/tokens.ts', 'GUESSES.perSecond'),
      ],
      (capacity, perSecond) => `${capacity}, then one every ${1 / perSecond} s`,
    ),
    bound(
      'strength of a token',
      [
        constantIn('relay/admission/token-strength.ts', 'MIN_CHARACTERS'),
        constantIn('relay/admission/token-strength.ts', 'MIN_BITS'),
      ],
      (characters, bits) => `at least ${characters} characters and some ${bits} bits`,
    ),
    bound(
      'questions to an admission program; time for an answer',
      [
        constantIn('relay/admission/call-out.ts', 'MAX_QUESTIONS'),
        constantIn('relay/admission/call-out.ts', 'ANSWER_TIMEOUT_MS'),
      ],
      (count, ms) => `${count} at a time; ${ms / 1000} s`,
    ),
    bound(
      'dial-backs in all; of one IPv4 address or IPv6 /56',
      [
        constantIn('relay/dial-back/quota.ts', 'MAX_DIAL_BACKS'),
        constantIn('relay/dial-back/quota.ts', 'MAX_PER_NETWORK'),
        constantIn('relay/dial-back/quota.ts', 'PER_NETWORK_AND_MINUTE'),
      ],
      (all, most, perMinute) => `${all} at a time; ${most} at a time and ${perMinute} per minute`,
    ),
  ],
  'A local user': [
    bound(
      'connections to the control socket; size of a request; time for it',
      [
        constantIn('peer/control/server.ts', 'MAX_CONNECTIONS'),
        constantIn('peer/control/server.ts', 'MAX_BODY_BYTES'),
        constantIn('peer/control/server.ts', 'REQUEST_MS'),
      ],
      (count, bytes, ms) => `${count}; ${size(bytes)}; ${ms / 1000} s`,
    ),
    bound(
      'size of an answer of the control socket',
      [constantIn('peer/control/client.ts', 'MAX_ANSWER_BYTES')],
      size,
    ),
    bound(
      'connections to the status server; time for a request',
      [
        constantIn('relay/status/status-server.ts', 'MAX_CONNECTIONS'),
        constantIn('relay/status/status-server.ts', 'REQUEST_TIMEOUT_MS'),
      ],
      (count, ms) => `${count}; ${ms / 1000} s`,
    ),
  ],
}

function bound(what: string, constants: readonly Constant[], print: (...values: number[]) => string): Bound {
  return {
    what,
    limit: print(...constants.map(it => it.value)),
    paths: [...new Set(constants.map(it => it.path))],
  }
}

function size(bytes: number): string {
  if (bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2} MiB`
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`
}
