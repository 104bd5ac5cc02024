/**
 * The tunnel protocol: its requests, answers, and their encoding.
 *
 * Invariant: an answer reveals nothing about services that the peer may not use. A missing service and a
 * closed one get the same `refused`, byte for byte.
 * Spec: docs/tunnel-protocol.md
 */
import { InvalidMessageError } from '@libp2p/interface'
import type { StreamHandlerOptions } from '@libp2p/interface'
import { encodeMessage } from './message.ts'
import type { Delegation } from './delegation.ts'
import type { Acknowledgement } from '../resume/frames.ts'

/** The protocol id. It contains the version: anything that an old listener could misread needs a new id. */
export const TUNNEL_PROTOCOL = '/throughnat/tunnel/2'

/** What can admit a peer besides its id. */
export interface Credentials {
  /** The secret of a ticket, see peer/tickets. */
  ticket?: string
  /** The peer that the dialer acts for. */
  delegation?: Delegation
}

/** A request for a service. */
export interface OpenRequest extends Credentials {
  service: string
  /** The id by which the dialer can resume this stream later, see {@link isSessionId}. */
  session: string
}

/** A request to resume a stream over this carrier. */
export interface ResumeRequest extends Acknowledgement {
  session: string
}

/** The first message of the dialer. */
export type TunnelRequest = OpenRequest | ResumeRequest

/**
 * The listener's answer.
 *
 * - `ok`: the rest of the stream consists of frames, see resume/frames.ts
 * - `refused`: there is no such service for this peer
 * - `unavailable`: the service exists, but does not accept connections
 * - `busy`: this peer, or all peers together, have reached the listener's limit of open connections
 * - `malformed`: the request could not be understood
 * - `gone`: this peer has no such session, or it cannot continue from that position
 */
export type TunnelStatus = 'ok' | 'refused' | 'unavailable' | 'busy' | 'malformed' | 'gone'

/** An answer. To a {@link ResumeRequest} it contains the listener's position, if the stream continues. */
export interface TunnelResponse {
  status: TunnelStatus
  position?: Acknowledgement
}

const statuses: readonly string[] = [
  'ok',
  'refused',
  'unavailable',
  'busy',
  'malformed',
  'gone',
] satisfies TunnelStatus[]

/**
 * Longest service name, in characters. Names resemble DNS labels, which have at most 63 (RFC 1035, 2.3.4).
 */
export const MAX_SERVICE_NAME_LENGTH = 63

/**
 * Most open tunnel connections of one remote peer in each direction: as many as a busy proxy needs (nginx's
 * default is 512 per process, `worker_connections`, and a proxied connection takes two). A remote can make
 * each cost at least 128 KiB.
 */
export const MAX_CONNECTIONS_PER_PEER = 1024

/**
 * Options for `libp2p.handle(TUNNEL_PROTOCOL, ...)`.
 *
 * libp2p's limit is higher than that of the services, because libp2p resets what exceeds it without an
 * answer. The services answer `busy`. The additional half leaves room for answers in progress.
 */
export const tunnelHandlerOptions: Readonly<StreamHandlerOptions> = {
  maxInboundStreams: MAX_CONNECTIONS_PER_PEER * 1.5,
  maxOutboundStreams: MAX_CONNECTIONS_PER_PEER,
  runOnLimitedConnection: true,
}

/**
 * True if a text is a valid service name: letters, digits, dot, dash and underscore, the first a letter or
 * digit.
 */
export function isServiceName(name: string): boolean {
  return name.length <= MAX_SERVICE_NAME_LENGTH && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)
}

/** True if a text is a valid session id: 16 random bytes in base64url, so that a peer's ids are unique. */
function isSessionId(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9_-]{22}$/.test(text)
}

/** @throws {InvalidMessageError} if the request does not fit in a message */
export function encodeRequest(request: TunnelRequest): Uint8Array {
  if (!('service' in request)) return encodeJson(request)
  const { delegation, ...rest } = request
  return encodeJson(
    delegation === undefined ? rest : { ...rest, for: delegation.principal, proof: delegation.proof },
  )
}

/** Ignores unknown fields. @throws {InvalidMessageError} if the body is not a request */
export function decodeRequest(body: Uint8Array): TunnelRequest {
  const { service, session, received, limit, ...rest } = decodeObject(body)
  if (!isSessionId(session)) throw new InvalidMessageError('The request has no valid session id')
  if (typeof service === 'string') return { service, session, ...decodeCredentials(rest) }
  return { session, ...decodePosition(received, limit) }
}

/** Malformed credentials count as absent, so they admit nobody. */
function decodeCredentials({ ticket, for: principal, proof }: Record<string, unknown>): Credentials {
  return {
    ...(typeof ticket === 'string' ? { ticket } : {}),
    ...(typeof principal === 'string' && typeof proof === 'string'
      ? { delegation: { principal, proof } }
      : {}),
  }
}

/** Writes an answer. Equal answers have equal bytes. */
export function encodeResponse({ status, position }: TunnelResponse): Uint8Array {
  return encodeJson({ status, ...position })
}

/** Ignores unknown fields. @throws {InvalidMessageError} if the body is not an answer of this version */
export function decodeResponse(body: Uint8Array): TunnelResponse {
  const { status, received, limit } = decodeObject(body)
  if (typeof status !== 'string' || !statuses.includes(status)) {
    throw new InvalidMessageError('The answer has an unknown status')
  }
  const response: TunnelResponse = { status: status as TunnelStatus }
  return received === undefined ? response : { ...response, position: decodePosition(received, limit) }
}

function decodePosition(received: unknown, limit: unknown): Acknowledgement {
  if (!isPosition(received) || !isPosition(limit))
    throw new InvalidMessageError('The message has neither a service nor a position to resume at')
  return { received, limit }
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function encodeJson(value: object): Uint8Array {
  return encodeMessage(Buffer.from(JSON.stringify(value)))
}

function decodeObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    throw new InvalidMessageError('The message is not JSON in UTF-8')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidMessageError('The message is not a JSON object')
  }
  return value as Record<string, unknown>
}
