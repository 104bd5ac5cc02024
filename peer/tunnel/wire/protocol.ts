/**
 * The tunnel protocol: what is asked, what is answered, how both are written.
 *
 * The invariant: an answer says nothing about services that the asker may not use. One that does not exist and one
 * that is closed to the asker are the same `refused`, byte for byte.
 * Spec: docs/tunnel-protocol.md
 */
import { InvalidMessageError } from '@libp2p/interface'
import type { StreamHandlerOptions } from '@libp2p/interface'
import { encodeMessage } from './message.ts'
import type { Delegation } from './delegation.ts'
import type { Acknowledgement } from '../resume/frames.ts'

/** Carries the version: what an old listener could misread gets a new id. */
export const TUNNEL_PROTOCOL = '/throughnat/tunnel/2'

/** By what a peer may be let in besides its id. */
export interface Credentials {
  /** What a ticket lets its bearer in by, see peer/tickets. */
  ticket?: string
  /** Whom the dialer acts for. */
  delegation?: Delegation
}

/** Asks for a service. */
export interface OpenRequest extends Credentials {
  service: string
  /** The name under which the dialer will ask to go on with this stream, see {@link isSessionId}. */
  session: string
}

/** Asks to go on with a stream over this carrier. */
export interface ResumeRequest extends Acknowledgement {
  session: string
}

/** What the dialer sends first. */
export type TunnelRequest = OpenRequest | ResumeRequest

/**
 * The listener's answer.
 *
 * - `ok`: what follows is carried in frames, see resume/frames.ts
 * - `refused`: there is no such service for this peer
 * - `unavailable`: the service is there and does not accept connections
 * - `busy`: this peer, or all peers together, have as many connections open as the listener allows
 * - `malformed`: the request could not be understood
 * - `gone`: there is no such session of this peer, or it cannot go on from there
 */
export type TunnelStatus = 'ok' | 'refused' | 'unavailable' | 'busy' | 'malformed' | 'gone'

/** The answer to a {@link ResumeRequest} says where the listener is, if it goes on. */
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

/** Longest service name, in characters. A DNS label has 63 at the most (RFC 1035, 2.3.4), and names are of that kind. */
export const MAX_SERVICE_NAME_LENGTH = 63

/**
 * Tunnel connections that one remote peer may have open at a time, to and from it: those of a busy proxy (nginx's default is 512 for a process, `worker_connections`, and
 * a proxied one takes two). They cost 128 KiB each at the least, if the remote wants them to.
 */
export const MAX_CONNECTIONS_PER_PEER = 1024

/**
 * Options for `libp2p.handle(TUNNEL_PROTOCOL, ...)`.
 *
 * libp2p's cap is above the services' own, because what exceeds it is reset without an answer, and what exceeds
 * theirs is told that it is `busy`. Half as much again is room for the answers in flight.
 */
export const tunnelHandlerOptions: Readonly<StreamHandlerOptions> = {
  maxInboundStreams: MAX_CONNECTIONS_PER_PEER * 1.5,
  maxOutboundStreams: MAX_CONNECTIONS_PER_PEER,
  runOnLimitedConnection: true,
}

/** Tells whether a name can be a service's: letters, digits, dot, dash and underscore, the first a letter or digit. */
export function isServiceName(name: string): boolean {
  return name.length <= MAX_SERVICE_NAME_LENGTH && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)
}

/** Tells whether a text can name a session: 16 random bytes in base64url, so that no two of a peer are the same. */
function isSessionId(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9_-]{22}$/.test(text)
}

/** @throws {InvalidMessageError} when the request does not fit in a message. */
export function encodeRequest(request: TunnelRequest): Uint8Array {
  if (!('service' in request)) return encodeJson(request)
  const { delegation, ...rest } = request
  return encodeJson(
    delegation === undefined ? rest : { ...rest, for: delegation.principal, proof: delegation.proof },
  )
}

/** @throws {InvalidMessageError} when the body is no request. Fields that it does not know are ignored. */
export function decodeRequest(body: Uint8Array): TunnelRequest {
  const { service, session, received, limit, ...rest } = decodeObject(body)
  if (!isSessionId(session)) throw new InvalidMessageError('The request names no session')
  if (typeof service === 'string') return { service, session, ...decodeCredentials(rest) }
  return { session, ...decodePosition(received, limit) }
}

/** What is not as it should be counts as not there: nobody is let in by it. */
function decodeCredentials({ ticket, for: principal, proof }: Record<string, unknown>): Credentials {
  return {
    ...(typeof ticket === 'string' ? { ticket } : {}),
    ...(typeof principal === 'string' && typeof proof === 'string'
      ? { delegation: { principal, proof } }
      : {}),
  }
}

/** Writes an answer. Equal answers give equal bytes. */
export function encodeResponse({ status, position }: TunnelResponse): Uint8Array {
  return encodeJson({ status, ...position })
}

/** @throws {InvalidMessageError} when the body is no answer of this version. Unknown fields are ignored. */
export function decodeResponse(body: Uint8Array): TunnelResponse {
  const { status, received, limit } = decodeObject(body)
  if (typeof status !== 'string' || !statuses.includes(status)) {
    throw new InvalidMessageError('The answer has no status of this version')
  }
  const response: TunnelResponse = { status: status as TunnelStatus }
  return received === undefined ? response : { ...response, position: decodePosition(received, limit) }
}

function decodePosition(received: unknown, limit: unknown): Acknowledgement {
  if (!isPosition(received) || !isPosition(limit))
    throw new InvalidMessageError('The message says neither what is asked for nor where to go on')
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
    throw new InvalidMessageError('The message is no JSON object')
  }
  return value as Record<string, unknown>
}
