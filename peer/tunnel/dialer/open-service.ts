/**
 * The dialing side of opening a service: a stream to a remote peer's service, or the reason why there is
 * none.
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

/** Options for libp2p's `newStream`. Pass them on unchanged. */
interface OpenStreamOptions {
  /** Never fires after the service is open, so it may be passed to a dial. */
  signal: AbortSignal
  runOnLimitedConnection: true
  maxOutboundStreams: number
}

/** Opens a stream to the remote peer over the best path. Connects first if necessary. */
export type OpenStream = (protocols: string[], options: OpenStreamOptions) => Promise<Stream>

export interface OpenServiceOptions extends ContinuityOptions {
  /** What admits this peer in addition to its id. */
  credentials?: Credentials
  /** When the ticket in `credentials` ends, which an error mentions. */
  ticketExpiresAt?: Date
  /** Cancels the opening. It has no effect on the stream once it is open. */
  signal?: AbortSignal
  /**
   * Called once when the stream is open. Returns bytes to send with the request, which saves one round trip
   * if the dialer speaks first. They are lost if the service is refused. At most 65,536 bytes, which a
   * listener accepts immediately.
   */
  early?: () => Uint8Array | null
  /**
   * Milliseconds from the call to the answer.
   *
   * @default 30_000 10 s each for libp2p's dial, for its negotiation, and for the listener to reach the
   * service
   */
  openMs?: number
}

const DEFAULT_OPEN_MS = 30_000

/**
 * Most requests for one connection, if its path is lost before each answer. A path is rarely lost twice in a
 * row, and a remote could repeat it without end.
 */
const MAX_REQUESTS = 3

/**
 * Opens a service of the remote peer that `openStream` connects to. The stream is paused: resume it, or
 * splice it.
 *
 * @throws {ServiceRefusedError} `refused`: the service does not exist or is not open to this peer;
 * `service-down`: it does not accept connections, or has too many; `protocol`: the remote peer does not
 * support the protocol or broke it
 * @throws {TimeoutError} if there is no answer within `openMs`
 * @throws whatever `openStream` throws, such as {UnreachableError}
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
    for (let request = 1; request <= MAX_REQUESTS; request++) {
      const carrier = await open(openStream, service, signal)
      early ??= options.early?.() ?? new Uint8Array()
      const stream = await ask({ openStream, service, signal, options }, carrier, early)
      if (stream !== undefined) return stream
    }
    throw failure('protocol', service, 'the path was lost repeatedly. Try again')
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
 * Requests the service once. If the carrier is lost before the answer arrives, it asks the listener over
 * another carrier whether the stream was admitted. So the service is opened once, and early bytes arrive
 * once. Resolves with `undefined` if it was not admitted.
 */
async function ask(
  { openStream, service, signal, options }: RequestInit,
  carrier: Stream,
  early: Uint8Array,
): Promise<Stream | undefined> {
  // 1. Make the stream, which has no carrier yet, and the request, with the early bytes behind it.
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
    // 2. Send the request, and await the answer.
    if (await isAnswered(carrier, request, service, options, signal)) {
      // 3. The listener has admitted the stream.
      stream.attach(carrier, START, early.byteLength)
    } else {
      // 4. The path was lost. Ask over another one whether the listener has admitted the stream.
      const next = await openCarrier(signal)
      const outcome = await resume(stream, next, signal).catch((cause: Error) => {
        throw signal.aborted ? cause : brokenOff(service, cause)
      })
      if (outcome === 'gone') {
        stream.abort(new ConnectionClosedError('The path to the remote peer was lost'))
        return undefined
      }
    }
    // 5. From now on, replace each path that is lost. That may be the one which the answer came over.
    resumer = new Resumer({ ...options, stream, openCarrier })
    if (!stream.isCarried) resumer.onLost()
    return stream
  } catch (cause) {
    if (cause instanceof ServiceRefusedError && cause.reason !== 'protocol') carrier.abort(cause)
    // tell the listener, which may have admitted the stream meanwhile, that nobody will resume it
    else stream.attach(carrier, START, early.byteLength)
    stream.abort(cause as Error)
    throw cause
  }
}

/**
 * Sends the request. Resolves with false if the carrier was lost before the answer.
 *
 * @throws {ServiceRefusedError} for any answer but `ok`
 * @throws the reason of `signal`
 */
async function isAnswered(
  carrier: Stream,
  request: Uint8ArrayList,
  service: string,
  options: OpenServiceOptions,
  signal: AbortSignal,
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

/** The replay memory of all streams that this process has opened. */
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
    const advice =
      'the remote peer does not support the tunnel protocol. Check that it exposes services with this version'
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
          ? `it does not exist there, or the ticket is used up, expired or revoked. Ask its owner for a new one${describeExpiry(ticketExpiresAt)}`
          : 'it does not exist there, or is not open to this peer. Ask its owner to allow this peer',
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
  return failure('protocol', service, `the exchange failed (${cause.message}). Try again`, cause)
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
