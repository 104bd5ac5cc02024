/** What bounds those who are not trusted. Each number is a constant of the source. */

import { defaultLimits } from '../../peer/tunnel/listener/service-limits.ts'
import {
  CONNECTION_LIMITS,
  IDLE_CIRCUITS_PER_RELAY,
  PENDING_LIMITS,
  STRANGER_IDLE_MS,
} from '../../peer/limits/connection-limits.ts'
import { MAX_QUERIES } from '../../peer/relays/dnsaddr.ts'
import { NEW_STREAMS, SHARED_STREAMS, TRUSTED_STREAMS } from '../../src/muxer/new-streams.ts'
import { MAX_BYTES, MAX_PEERS } from '../../src/patches/libp2p/bounded-peer-store.ts'
import { FRAME_BUDGETS } from '../../src/patches/libp2p-yamux/frame-budgets.ts'
import { constantIn } from './constant.ts'
import type { Constant } from './constant.ts'

/** A row of the table in docs/security-model.md. */
export interface Bound {
  readonly what: string
  readonly limit: string
  /** The files that have the numbers. */
  readonly paths: readonly string[]
}

const CONNECTIONS = ['peer/limits/connection-limits.ts']
const STREAMS = ['src/muxer/new-streams.ts']
const FRAMES = ['src/patches/libp2p-yamux/frame-budgets.ts']
const NEGOTIATION = 'src/patches/multistream-select/unbounded-negotiation.ts'

const rate = ({ capacity, perSecond }: { capacity: number; perSecond: number }): string =>
  `${capacity}, then ${perSecond} per second`

/** The rows, by who is bounded. */
export const bounds: Readonly<Record<string, readonly Bound[]>> = {
  'Everyone who has a connection, to a peer or a relay': [
    bound(
      'lines of one negotiation; length of a line; time',
      [
        constantIn(NEGOTIATION, 'MAX_LINES'),
        constantIn(NEGOTIATION, 'MAX_LINE_BYTES'),
        constantIn(NEGOTIATION, 'TIMEOUT_MS'),
      ],
      (lines, bytes, ms) => `${lines}; ${size(bytes)}; ${ms / 1000} s`,
    ),
    bound(
      'pieces in which a handshake may come',
      [constantIn('src/patches/libp2p-utils/handshake-pieces.ts', 'MAX_PIECES')],
      String,
    ),
    bound(
      'bytes before the end of the handshake of TLS; of a certificate',
      [
        constantIn('src/encryption/tls-handshake.ts', 'MAX_HANDSHAKE_BYTES'),
        constantIn('src/encryption/verify-certificate.ts', 'MAX_CERTIFICATE_BYTES'),
      ],
      (handshake, certificate) => `${size(handshake)}; ${size(certificate)}`,
    ),
    bound(
      'messages of a WebSocket, pings among them; average size of those beyond that',
      [
        constantIn('src/patches/libp2p-websockets/small-messages.ts', 'FREE_MESSAGES'),
        constantIn('src/patches/libp2p-websockets/small-messages.ts', 'AVERAGE_BYTES'),
      ],
      (free, bytes) => `${free}; ${bytes} B`,
    ),
    bound(
      'proposals of protocols that fail, on one connection',
      [
        constantIn(NEGOTIATION, 'FAILED_PROPOSALS.capacity'),
        constantIn(NEGOTIATION, 'FAILED_PROPOSALS.perSecond'),
      ],
      (capacity, perSecond) => rate({ capacity, perSecond }),
    ),
    { what: 'pings of the multiplexer', limit: rate(FRAME_BUDGETS.ping), paths: FRAMES },
    { what: 'frames without data that no stream needs', limit: rate(FRAME_BUDGETS.idle), paths: FRAMES },
    {
      what: 'streams that end before they have a protocol',
      limit: rate(FRAME_BUDGETS.unused),
      paths: FRAMES,
    },
    { what: 'streams beyond the limit', limit: rate(FRAME_BUDGETS.refused), paths: FRAMES },
    {
      what: 'new streams of one connection of a stranger, of those that lead to nothing',
      limit: rate(NEW_STREAMS),
      paths: STREAMS,
    },
    {
      what: 'the same of all such connections together, beyond their own',
      limit: `${(SHARED_STREAMS.perTurn * 1000) / SHARED_STREAMS.turnMs} per second, by network in turns`,
      paths: STREAMS,
    },
    { what: 'new streams of one connection of a trusted peer', limit: rate(TRUSTED_STREAMS), paths: STREAMS },
    bound(
      "streams of a stranger's connection that stay without a protocol; for longer than",
      [constantIn(NEGOTIATION, 'UNDECIDED.max'), constantIn(NEGOTIATION, 'UNDECIDED.olderThanMs')],
      (max, ms) => `${max}; ${ms / 1000} s`,
    ),
    bound(
      'streams that are made before they bring data',
      [constantIn('src/patches/libp2p-yamux/incoming-streams.ts', 'MAX_MADE_SILENT')],
      count => `${count} a connection`,
    ),
    bound(
      'bytes that a stream may have in flight',
      [constantIn('src/muxer/muxer.ts', 'MAX_WINDOW_BYTES')],
      size,
    ),
  ],
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
    {
      what: 'connections of all strangers; of one network (IPv4 /24, IPv6 /56); over one relay; of one peer',
      limit: `${CONNECTION_LIMITS.strangers}; ${CONNECTION_LIMITS.strangersPerNetwork}; ${CONNECTION_LIMITS.strangersPerRelay}; ${CONNECTION_LIMITS.perStranger}`,
      paths: CONNECTIONS,
    },
    {
      what: 'connections of one named peer; of one known peer',
      limit: `${CONNECTION_LIMITS.perNamedPeer}; ${CONNECTION_LIMITS.perKnownPeer}`,
      paths: CONNECTIONS,
    },
    {
      what: "time without a stream of an application, for a stranger's connection; idle circuits of strangers over one relay",
      limit: `${STRANGER_IDLE_MS / 1000} s; ${IDLE_CIRCUITS_PER_RELAY}`,
      paths: CONNECTIONS,
    },
    {
      what: 'sockets that are not authenticated; of one network; new ones',
      limit: `${PENDING_LIMITS.sockets}; ${PENDING_LIMITS.socketsPerNetwork}; ${PENDING_LIMITS.socketsPerSecond} per second`,
      paths: CONNECTIONS,
    },
    {
      what: 'peers that are remembered, in memory and on disk; record of one that is not known',
      limit: `${MAX_PEERS}; ${size(MAX_BYTES)}`,
      paths: ['src/patches/libp2p/bounded-peer-store.ts'],
    },
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
  'A name of relays (`/dnsaddr`)': [
    { what: 'DNS queries of one look-up', limit: String(MAX_QUERIES), paths: ['peer/relays/dnsaddr.ts'] },
  ],
  'A stranger at a relay': [
    bound(
      'head of a request for a WebSocket; of a request to the status server',
      [
        constantIn('src/patches/libp2p-websockets/pre-handshake-bounds.ts', 'HEAD_BOUNDS.maxBytes'),
        constantIn('relay/status/status-server.ts', 'MAX_HEAD_BYTES'),
      ],
      (webSocket, status) => `${size(webSocket)}; ${size(status)}`,
    ),
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
      'questions to an admission program, a half of them of one network and a quarter of one peer; time for an answer',
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
