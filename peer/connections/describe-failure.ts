/** Failures of libp2p's dials, in words that name the cause and not the layer that noticed it. */

import { connectionMeaningOf } from '../../src/failures/connection-errors.ts'
import { causesOf } from '../../src/failures/causes.ts'
import { meaningOf, systemCodeOf } from '../../src/failures/system-errors.ts'

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

/** More about a status: what may be the cause. */
const STATUS_ADVICE: Readonly<Record<string, string>> = {
  PERMISSION_DENIED: ': it may require a token, or allow only certain peers',
}

/** What a code means while a connection is being made, where that is more than its own meaning. */
const WHILE_DIALLING: Readonly<Record<string, string>> = {
  ECONNRESET:
    'the connection was reset: the other side may have as many connections as it may, or a firewall cuts it',
}

const CUT_SHORT =
  'it closes the connection before a word: it may have as many connections as it may, or does not speak libp2p'

const RESET_IN_HANDSHAKE =
  'it ended the connection during the handshake: it probably has as many connections as it may; try again'

const NAMES: Readonly<Record<string, string>> = {
  UnsupportedProtocolError: 'it does not speak the protocol, so it is no relay',
  TimeoutError: 'no answer in time',
  AbortError: 'no answer in time',
}

const CAUSES: Readonly<Record<string, string>> = { HTTPParserError: 'it does not speak HTTP on this port' }

/** Errors that say less than their causes. */
const WRAPPERS: ReadonlySet<string> = new Set(['ConnectionFailedError', 'DialError', 'Error', 'TypeError'])

/** One clause, without a full stop. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return describeAll(error.errors)
  if (!(error instanceof Error)) return describeOther(error)
  const { name, message } = error
  const status = Object.keys(STATUS).find(it => message.includes(it))
  if (status !== undefined) return `${STATUS[status]} (${status})${STATUS_ADVICE[status] ?? ''}`
  for (const each of WRAPPERS.has(name) ? causesOf(error) : [error]) {
    const known = describeCode(each) ?? CAUSES[each.name]
    if (known !== undefined) return known
  }
  if (message.includes('does not match expected remote identity'))
    return 'another peer answers there; check the peer id in the address'
  if (name === 'EncryptionFailedError') return describeHandshake(message)
  return NAMES[name] ?? (message === '' ? name : message)
}

/** libp2p keeps only the text of what ended a handshake (libp2p 3.3.11, upgrader.js `_encryptOutbound`). */
function describeHandshake(message: string): string {
  if (message.includes('timeout')) return 'no answer in time'
  // @libp2p/utils 7.4.1, stream-utils.js: of so many bytes that were awaited, none has come
  if (/(while|after) reading 0\/\d+ bytes/.test(message) || message.includes('ECONNRESET')) return CUT_SHORT
  // @libp2p/utils 7.4.1, `StreamResetError`: a relay passes on that the peer has reset the circuit
  if (message.includes('has been reset')) return RESET_IN_HANDSHAKE
  if (message.startsWith('Protocol selection failed'))
    return 'it speaks libp2p, but no encryption that this version knows'
  return 'what answers there does not speak libp2p'
}

function describeCode(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  const named = systemCodeOf(error) ?? (typeof code === 'string' ? code : '')
  const meaning = WHILE_DIALLING[named] ?? connectionMeaningOf(named) ?? meaningOf(named)
  return meaning === undefined ? undefined : `${meaning} (${named})`
}

/** An event, or what somebody has thrown that is no error. */
function describeOther(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  const { error, message, type } = thrown as { error?: unknown; message?: unknown; type?: unknown }
  if (error instanceof Error && error.message !== '') return describeFailure(error)
  if (typeof message === 'string' && message !== '') return message
  return typeof type === 'string' ? `it failed with the event "${type}"` : 'it failed without a reason'
}

function describeAll(errors: readonly unknown[]): string {
  return [...new Set(errors.map(describeFailure))].join('; ')
}
