/**
 * How a peer shows a relay that it knows the relay's token: one message there, one back, over their own connection, which is
 * encrypted and whose relay is who it says it is. Once shown, it holds for that connection.
 */

import { UnsupportedProtocolError } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { InvalidConfigError } from '../errors.ts'
import { readLineFile } from '../files/line-file.ts'
import { privacyWarning } from '../files/private-file.ts'
import { messageBounds } from './message-bounds.ts'
import type { AbortOptions, Connection, Stream } from '@libp2p/interface'

export const RELAY_TOKEN_PROTOCOL = '/throughnat/relay-token/1.0.0'

/** Longest token in bytes of UTF-8. A random token of 32 bytes is some 44 characters. */
const MAX_TOKEN_BYTES = 256

const ACCEPTED = 1
const REFUSED = 0

/**
 * Shows a token. Resolves with false if the relay does not know it; a relay that asks for none is content with any.
 *
 * @throws what went wrong with the stream, or the signal's reason
 */
export async function presentToken(
  connection: Connection,
  token: string,
  options: AbortOptions,
): Promise<boolean> {
  let stream: Stream
  try {
    stream = await connection.newStream(RELAY_TOKEN_PROTOCOL, options)
  } catch (error) {
    if ((error as Error).name === UnsupportedProtocolError.name) return true
    throw error
  }
  try {
    const messages = lpStream(stream, messageBounds(1))
    await messages.write(Buffer.from(token), options)
    const answer = await messages.read(options)
    await stream.close(options)
    return answer.get(0) === ACCEPTED
  } catch (error) {
    stream.abort(error as Error)
    // what is negotiated lazily is refused only now
    if ((error as Error).name === UnsupportedProtocolError.name) return true
    throw error
  }
}

/**
 * Takes a token and answers whether it is known.
 *
 * @throws what went wrong with the stream, or the signal's reason; the stream has been reset then
 */
export async function receiveToken(
  stream: Stream,
  isKnown: (token: Uint8Array) => boolean,
  options: AbortOptions,
): Promise<boolean> {
  try {
    const messages = lpStream(stream, messageBounds(MAX_TOKEN_BYTES))
    const token = await messages.read(options)
    const isAccepted = isKnown(token.subarray())
    await messages.write(Uint8Array.of(isAccepted ? ACCEPTED : REFUSED), options)
    await stream.close(options)
    return isAccepted
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

/** What {@link readTokens} also does. */
interface TokenFileOptions {
  /** Says what is wrong with a token, without showing it; undefined if it can be used. */
  faultOf?: (token: string) => string | undefined
  /** Takes a warning of a file that other users can read. */
  warn?: (text: string) => void
}

/**
 * Reads the tokens in a file, one per line. Tokens come only from files: every user of the machine can see what is on a
 * command line.
 *
 * @param option - the option that named the file
 * @throws {InvalidConfigError} if the file cannot be read, other users can change it, it holds no token, or a token that is
 * too long or has a fault
 */
export async function readTokens(
  path: string,
  option: string,
  { faultOf = () => undefined, warn = () => {} }: TokenFileOptions = {},
): Promise<string[]> {
  const tokens = await readLineFile(path, option, token => {
    const fault = Buffer.byteLength(token) > MAX_TOKEN_BYTES ? undefined : faultOf(token)
    if (fault !== undefined) throw new Error(fault)
    return token
  })
  if (tokens.length === 0) throw unusable(path, option, 'it holds no token; write one a line')
  if (tokens.some(token => Buffer.byteLength(token) > MAX_TOKEN_BYTES)) {
    throw unusable(path, option, `it holds a token of more than ${MAX_TOKEN_BYTES} bytes`)
  }
  const warning = await privacyWarning(path)
  if (warning !== undefined) warn(warning)
  return tokens
}

function unusable(path: string, option: string, what: string): InvalidConfigError {
  return new InvalidConfigError([{ where: option, what: `${path} cannot be used: ${what}` }])
}
