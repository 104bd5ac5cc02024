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

/** Carries the version: what an old listener could misread gets a new id. */
export const TUNNEL_PROTOCOL = '/throughnat/tunnel/1'

/** What the dialer sends first. */
export interface TunnelRequest {
  service: string
}

/**
 * The listener's answer.
 *
 * - `ok`: what follows are the service's bytes
 * - `refused`: there is no such service for this peer
 * - `unavailable`: the service is there and does not accept connections
 * - `busy`: this peer, or all peers together, have as many connections open as the listener allows
 * - `malformed`: the request could not be understood
 */
export type TunnelStatus = 'ok' | 'refused' | 'unavailable' | 'busy' | 'malformed'

const statuses: readonly string[] = [
  'ok',
  'refused',
  'unavailable',
  'busy',
  'malformed',
] satisfies TunnelStatus[]

/** Longest service name, in characters. A DNS label has 63 at the most (RFC 1035, 2.3.4), and names are of that kind. */
export const MAX_SERVICE_NAME_LENGTH = 63

/**
 * Tunnel connections that one remote peer may have open at a time, to and from it.
 *
 * go-libp2p's resource manager allows a peer as many inbound streams in all (limit_defaults.go,
 * `PeerBaseLimit.StreamsInbound`). js-libp2p's own 32 in, 64 out (registrar.ts) are too few: one web page
 * opens more than that.
 */
export const MAX_CONNECTIONS_PER_PEER = 256

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

/** @throws {InvalidMessageError} when the request does not fit in a message. */
export function encodeRequest(request: TunnelRequest): Uint8Array {
  return encodeJson(request)
}

/** @throws {InvalidMessageError} when the body is no request. Fields that it does not know are ignored. */
export function decodeRequest(body: Uint8Array): TunnelRequest {
  const { service } = decodeObject(body)
  if (typeof service !== 'string') throw new InvalidMessageError('The request names no service')
  return { service }
}

/** Writes an answer. Equal statuses give equal bytes. */
export function encodeResponse(status: TunnelStatus): Uint8Array {
  return encodeJson({ status })
}

/** @throws {InvalidMessageError} when the body is no answer of this version. Unknown fields are ignored. */
export function decodeResponse(body: Uint8Array): TunnelStatus {
  const { status } = decodeObject(body)
  if (typeof status !== 'string' || !statuses.includes(status)) {
    throw new InvalidMessageError('The answer has no status of this version')
  }
  return status as TunnelStatus
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
