/** Failures of libp2p's dials, in words that name the cause and not the layer that noticed it. */

// circuit-v2.md, "Status codes"
const STATUS: Readonly<Record<string, string>> = {
  RESERVATION_REFUSED: 'the relay has no room for another reservation',
  RESOURCE_LIMIT_EXCEEDED: 'the relay carries as many circuits as it may',
  PERMISSION_DENIED: 'the relay does not admit this peer',
  CONNECTION_FAILED: 'the relay could not reach the peer',
  NO_RESERVATION: 'the peer holds no reservation at the relay: it is not running, or uses another relay',
  MALFORMED_MESSAGE: 'the relay did not understand the request',
  UNEXPECTED_MESSAGE: 'the relay did not expect the request',
}

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'no route leads there',
  ENETUNREACH: 'no route leads there',
  ETIMEDOUT: 'no answer',
  ENOTFOUND: 'the name does not exist',
}

const NAMES: Readonly<Record<string, string>> = {
  UnsupportedProtocolError: 'it does not speak the protocol, so it is no relay',
  EncryptionFailedError: 'what answers there does not speak libp2p',
  TimeoutError: 'no answer in time',
  AbortError: 'no answer in time',
}

/** One clause, without a full stop. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return describeAll(error.errors)
  if (!(error instanceof Error)) return String(error)
  const { code, name, message } = error as NodeJS.ErrnoException
  const status = Object.keys(STATUS).find(it => message.includes(it))
  if (status !== undefined) return `${STATUS[status]} (${status})`
  if (code !== undefined && code in CODES) return `${CODES[code]} (${code})`
  if (message.includes('does not match expected remote identity'))
    return 'another peer answers there; check the peer id in the address'
  // libp2p keeps only the text of a time-out that ends a handshake
  if (name === 'EncryptionFailedError' && message.includes('timeout')) return 'no answer in time'
  return NAMES[name] ?? message
}

function describeAll(errors: readonly unknown[]): string {
  return [...new Set(errors.map(describeFailure))].join('; ')
}
