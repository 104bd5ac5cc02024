/**
 * The dialing side's first step: a stream to a remote peer's service, or the reason why there is none.
 *
 * Spec: docs/tunnel-protocol.md
 */
import { randomBytes } from 'node:crypto'
import { ConnectionClosedError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Stream } from '@libp2p/interface'
import { ServiceRefusedError } from '../../../src/errors.ts'
import type { ServiceFailure } from '../../../src/errors.ts'
import { withDeadline } from '../../../src/time/deadline.ts'
import { readMessage } from '../wire/message.ts'
import { decodeResponse, encodeRequest, MAX_CONNECTIONS_PER_PEER, TUNNEL_PROTOCOL } from '../wire/protocol.ts'
import { START } from '../resume/receive-window.ts'
import { MemoryBudget } from '../resume/memory-budget.ts'
import { resume } from '../resume/resume.ts'
import { ResumableStream } from '../resume/resumable-stream.ts'
import { Resumer } from '../resume/resumer.ts'
import type { Credentials, TunnelStatus } from '../wire/protocol.ts'
import type { ContinuityOptions } from '../resume/resumer.ts'

/** What libp2p's `newStream` needs to be told; hand it on as it is. */
interface OpenStreamOptions {
  /** Never fires once the service is open, so it may be given to a dial. */
  signal: AbortSignal
  runOnLimitedConnection: true
  maxOutboundStreams: number
}

/** Opens a stream to the remote peer over the best path there is, connecting first if need be. */
export type OpenStream = (protocols: string[], options: OpenStreamOptions) => Promise<Stream>

export interface OpenServiceOptions extends ContinuityOptions {
  /** What lets this peer in, if not its id. */
  credentials?: Credentials
  /** When the ticket in `credentials` ends, which an error mentions. */
  ticketExpiresAt?: Date
  /** Gives up the opening. Without effect on the stream once it is open. */
  signal?: AbortSignal
  /**
   * Called once when the stream is open: bytes to send along with the request, which saves a protocol in which the
   * dialer speaks first a round trip. They are lost if the service is refused. At most 65,536, which is what a listener takes at once.
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

/** Requests for one connection whose path is lost each time before it is answered. A path is rarely lost twice in a row, and a remote could do it without end. */
const MAX_REQUESTS = 3

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
  const late = `The remote peer did not answer the request for service "${service}" within ${openMs} ms`
  return withDeadline(openMs, late, options.signal, async signal => {
    let early: Uint8Array | undefined
    for (let request = 1; ; request++) {
      const carrier = await open(openStream, service, signal)
      early ??= options.early?.() ?? new Uint8Array()
      const stream = await ask({ openStream, service, signal, options }, carrier, early)
      if (stream !== undefined) return stream
      if (request === MAX_REQUESTS)
        throw failure('protocol', service, 'the path was lost time and again. Try again')
    }
  })
}

/** What a request needs besides its carrier. */
interface RequestInit {
  openStream: OpenStream
  service: string
  signal: AbortSignal
  options: OpenServiceOptions
}

/**
 * Asks for the service once. When the carrier is lost before the answer has come, because its path was, the listener is asked over another one whether it has let the stream
 * in: so it is opened once, and what was sent early arrives once. Undefined if it has not.
 */
async function ask(
  { openStream, service, signal, options }: RequestInit,
  carrier: Stream,
  early: Uint8Array,
): Promise<Stream | undefined> {
  const session = randomBytes(16).toString('base64url')
  let resumer: Resumer | undefined
  const stream = new ResumableStream({
    id: session,
    log: carrier.log,
    direction: 'outbound',
    protocol: TUNNEL_PROTOCOL,
    budget,
    onLost: () => resumer?.onLost(),
  })
  const openCarrier = (signal: AbortSignal): Promise<Stream> => openCarrierOver(openStream, signal)
  const request = new Uint8ArrayList(encodeRequest({ service, session, ...options.credentials }))
  if (early.byteLength > 0) request.append(stream.sendEarly(new Uint8ArrayList(early)))
  try {
    if (await isAnswered(carrier, request, { service, signal, options })) {
      resumer = new Resumer({ ...options, stream, openCarrier })
      stream.attach(carrier, START, early.byteLength)
      return stream
    }
    const next = await openCarrier(signal)
    const outcome = await resume(stream, next, signal).catch((cause: Error) => {
      throw signal.aborted ? cause : brokenOff(service, cause)
    })
    if (outcome === 'gone') {
      stream.abort(new ConnectionClosedError('The path to the remote peer was lost'))
      return undefined
    }
    resumer = new Resumer({ ...options, stream, openCarrier })
    if (!stream.isCarried) resumer.onLost()
    return stream
  } catch (cause) {
    if (cause instanceof ServiceRefusedError && cause.reason !== 'protocol') carrier.abort(cause)
    // the listener, which may have let it in meanwhile, is told that nobody will come back for it
    else stream.attach(carrier, START, early.byteLength)
    stream.abort(cause as Error)
    throw cause
  }
}

/**
 * Sends the request; false if the carrier was lost before the answer has come.
 *
 * @throws {ServiceRefusedError} for any answer but `ok`; the reason of `signal`
 */
async function isAnswered(
  carrier: Stream,
  request: Uint8ArrayList,
  { service, signal, options }: Omit<RequestInit, 'openStream'>,
): Promise<boolean> {
  try {
    carrier.send(request)
    const { status } = decodeResponse(await readMessage(carrier, { signal }))
    if (status !== 'ok') throw refusal(status, service, options)
    return true
  } catch (cause) {
    if (signal.aborted || cause instanceof ServiceRefusedError) throw cause
    if (carrier.status !== 'open') return false
    throw brokenOff(service, cause as Error)
  }
}

/** What all streams that this process has opened keep to send again. */
const budget = new MemoryBudget()

function openCarrierOver(openStream: OpenStream, signal: AbortSignal): Promise<Stream> {
  return openStream([TUNNEL_PROTOCOL], {
    signal,
    runOnLimitedConnection: true,
    maxOutboundStreams: MAX_CONNECTIONS_PER_PEER,
  })
}

async function open(openStream: OpenStream, service: string, signal: AbortSignal): Promise<Stream> {
  try {
    return await openCarrierOver(openStream, signal)
  } catch (cause) {
    if ((cause as Error).name !== 'UnsupportedProtocolError') throw cause
    const advice = 'the remote peer does not speak its protocol. Let it expose services with this version'
    throw failure('protocol', service, advice, cause)
  }
}

function refusal(
  status: Exclude<TunnelStatus, 'ok'>,
  service: string,
  { credentials, ticketExpiresAt }: OpenServiceOptions,
): ServiceRefusedError {
  switch (status) {
    case 'refused':
      return failure(
        'refused',
        service,
        credentials?.ticket !== undefined
          ? `it does not exist there, or the ticket does not open it: it may be used up, expired or revoked. Ask its owner for another${describeExpiry(ticketExpiresAt)}`
          : 'it does not exist there, or is not open to this peer. Ask its owner',
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
    case 'gone':
      return failure('protocol', service, 'the remote peer did not understand the request. Check its version')
  }
}

/** The listener's clock decides, and the two may differ. */
function describeExpiry(expiresAt: Date | undefined): string {
  if (expiresAt === undefined) return ''
  const [now, end] = [new Date(), expiresAt.toISOString()]
  return now < expiresAt
    ? `. By this machine's clock, which shows ${now.toISOString()}, it is valid until ${end}; if it has expired, the clocks differ`
    : `. By this machine's clock it expired at ${end}`
}

function brokenOff(service: string, cause: Error): ServiceRefusedError {
  return failure('protocol', service, `the exchange broke off (${cause.message}). Try again`, cause)
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
