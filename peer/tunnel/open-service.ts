/**
 * The dialing side's first step: a stream to a remote peer's service, or the reason why there is none.
 *
 * Spec: docs/tunnel-protocol.md
 */
import type { Stream } from '@libp2p/interface'
import { ServiceRefusedError } from '../../src/errors.ts'
import type { ServiceFailure } from '../../src/errors.ts'
import { withDeadline } from './deadline.ts'
import { readMessage } from './message.ts'
import { decodeResponse, encodeRequest, MAX_CONNECTIONS_PER_PEER, TUNNEL_PROTOCOL } from './protocol.ts'
import type { TunnelStatus } from './protocol.ts'

/** What libp2p's `newStream` needs to be told; hand it on as it is. */
export interface OpenStreamOptions {
  /** Never fires once the service is open, so it may be given to a dial. */
  signal: AbortSignal
  runOnLimitedConnection: true
  maxOutboundStreams: number
}

/** Opens a stream to the remote peer over the best path there is, connecting first if need be. */
export type OpenStream = (protocols: string[], options: OpenStreamOptions) => Promise<Stream>

export interface OpenServiceOptions {
  /** Gives up the opening. Without effect on the stream once it is open. */
  signal?: AbortSignal
  /**
   * Called once when the stream is open: bytes to send along with the request, which saves a protocol in which the
   * dialer speaks first a round trip. They are lost if the service is refused.
   */
  early?: () => Uint8Array | null
  /**
   * Milliseconds from the call to the answer.
   *
   * @default 30_000 libp2p's own limits for a dial and for negotiation, and the listener's for reaching the service:
   * 10 s each
   */
  openMs?: number
}

const DEFAULT_OPEN_MS = 30_000

/**
 * Opens a service of the remote peer that `openStream` leads to. The stream comes paused: resume it, or splice it.
 *
 * @throws {ServiceRefusedError} `refused`: it does not exist or is not open to this peer; `service-down`: it does
 * not accept connections, or has too many; `protocol`: the remote peer does not speak the protocol or broke it.
 * @throws {TimeoutError} when there is no answer within `openMs`.
 * @throws whatever `openStream` throws, such as {UnreachableError}.
 */
export function openService(
  openStream: OpenStream,
  service: string,
  options: OpenServiceOptions = {},
): Promise<Stream> {
  const { openMs = DEFAULT_OPEN_MS } = options
  const request = encodeRequest({ service })
  const late = `The remote peer did not answer the request for service "${service}" within ${openMs} ms`
  return withDeadline(openMs, late, options.signal, async signal => {
    const stream = await open(openStream, service, signal)
    try {
      const early = options.early?.()
      stream.send(early == null ? request : Buffer.concat([request, early]))
      const status = decodeResponse(await readMessage(stream, { signal }))
      if (status !== 'ok') throw refusal(status, service)
      return stream
    } catch (cause) {
      stream.abort(cause as Error)
      if (signal.aborted || cause instanceof ServiceRefusedError) throw cause
      throw failure(
        'protocol',
        service,
        `the exchange broke off (${(cause as Error).message}). Try again`,
        cause,
      )
    }
  })
}

async function open(openStream: OpenStream, service: string, signal: AbortSignal): Promise<Stream> {
  try {
    return await openStream([TUNNEL_PROTOCOL], {
      signal,
      runOnLimitedConnection: true,
      maxOutboundStreams: MAX_CONNECTIONS_PER_PEER,
    })
  } catch (cause) {
    if ((cause as Error).name !== 'UnsupportedProtocolError') throw cause
    const advice = 'the remote peer does not speak its protocol. Let it expose services with this version'
    throw failure('protocol', service, advice, cause)
  }
}

function refusal(status: Exclude<TunnelStatus, 'ok'>, service: string): ServiceRefusedError {
  switch (status) {
    case 'refused':
      return failure(
        'refused',
        service,
        'it does not exist there, or is not open to this peer. Ask its owner',
      )
    case 'unavailable':
      return failure(
        'service-down',
        service,
        'the remote peer could not connect to it. Check that it runs there',
      )
    case 'busy':
      return failure('service-down', service, 'too many connections are open. Close some or try again later')
    case 'malformed':
      return failure('protocol', service, 'the remote peer did not understand the request. Check its version')
  }
}

function failure(
  reason: ServiceFailure,
  service: string,
  what: string,
  cause?: unknown,
): ServiceRefusedError {
  return new ServiceRefusedError(reason, service, `Service "${service}" cannot be reached: ${what}.`, {
    cause,
  })
}
