/**
 * The destination of a command's connections: an address, a peer id, a name for one, or a ticket.
 *
 * Invariant: a ticket is a secret and is not shown. It may come from a file or from standard input. The program overwrites one
 * on the command line when it starts.
 */

import type { Readable } from 'node:stream'
import { expandPath, NoHomeError, placeAt } from '../../../src/config/paths.ts'
import { meaningOf } from '../../../src/failures/system-errors.ts'
import { integrityFault } from '../../../src/files/integrity.ts'
import { privacyWarning } from '../../../src/files/private-file.ts'
import { decodeText, readTextFile } from '../../../src/files/text-file.ts'
import { findTarget } from './target-text.ts'
import { InvalidConfigError, UsageError } from '../../../src/errors.ts'
import { parseTarget } from '../../connections/target.ts'
import { decodeTicket } from '../../tickets/ticket.ts'
import { looksLikeTicket } from '../../tickets/prefix.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { PeerNames } from '../../connections/names.ts'
import type { Ticket } from '../../tickets/ticket.ts'

/** A remote peer, and the ticket that was given for it. */
export interface Destination {
  /** What to connect to. It may contain a secret. */
  target: string
  /** The name to show. */
  label: string
  /** The peer's id. */
  peerId: string
  ticket: Ticket | undefined
}

/** What {@link readDestination} needs. */
export interface DestinationContext {
  names: PeerNames
  stdin: Readable
  output: Output
}

/** More than the longest ticket, in bytes, with comments before it, and in UTF-16. */
const LONGEST_BYTES = 16_384

/**
 * Reads a destination.
 *
 * @throws {UsageError} if a ticket is damaged
 * @throws {InvalidTargetError} if the text is not a target
 * @throws {InvalidConfigError} if a name is unknown, a file cannot be read, or other users can change it
 */
export async function readDestination(text: string, context: DestinationContext): Promise<Destination> {
  const target = await dereference(text, context)
  if (!looksLikeTicket(target))
    return { target, label: text, peerId: parseTarget(target).peerId.toString(), ticket: undefined }
  let ticket: Ticket
  try {
    ticket = decodeTicket(target)
  } catch (cause) {
    throw new UsageError(`TARGET: ${(cause as Error).message}.`, { cause })
  }
  const { peerId, expiresAt } = ticket
  if (expiresAt !== undefined && expiresAt.getTime() < Date.now())
    context.output.note(
      `By this machine's clock, which shows ${new Date().toISOString()}, the ticket expired at ${expiresAt.toISOString()}. The clock of the other peer decides.`,
    )
  return { target, label: peerId.toString(), peerId: peerId.toString(), ticket }
}

/**
 * Determines the service.
 *
 * @throws {UsageError} if neither the ticket nor the command line names it, or they differ
 */
export function serviceOf({ ticket }: Destination, named: string | undefined): string {
  if (ticket !== undefined && named !== undefined && named !== ticket.service)
    throw new UsageError(`The ticket is for the service ${JSON.stringify(ticket.service)}: leave NAME out.`)
  const service = ticket?.service ?? named
  if (service === undefined) throw new UsageError('NAME is missing: name the service, or use a ticket.')
  return service
}

async function dereference(text: string, { names, stdin, output }: DestinationContext): Promise<string> {
  if (text === '-') return targetIn(await readStart(stdin), 'standard input')
  if (text.startsWith('@')) return readTicketFile(text.slice(1), output)
  const found = findTarget(text)?.target ?? text
  return looksLikeTicket(found) ? found : names.resolve(text, 'TARGET')
}

/** Reads a target from a file. @throws {InvalidConfigError} if the file cannot be read, is empty, or other users can change it */
async function readTicketFile(path: string, output: Output): Promise<string> {
  try {
    // no shell expands the ~ after an @
    const file = expandPath(path, placeAt())
    const text = await readTextFile(file)
    const target = targetIn(text.slice(0, LONGEST_BYTES), path)
    const fault = await integrityFault(file, { isModeFree: true })
    if (fault !== undefined) throw new InvalidConfigError([{ where: 'TARGET', what: fault }])
    const warning = looksLikeTicket(target) ? await privacyWarning(file) : undefined
    if (warning !== undefined) output.note(warning)
    return target
  } catch (error) {
    if (error instanceof NoHomeError || error instanceof RangeError)
      throw new InvalidConfigError([{ where: 'TARGET', what: `${path} cannot be read: ${error.message}` }])
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const why = `${meaningOf(code) ?? 'it fails'} (${code})`
    throw new InvalidConfigError([{ where: 'TARGET', what: `${path} cannot be read: ${why}` }])
  }
}

function targetIn(text: string, where: string): string {
  const found = findTarget(text)
  if (found === undefined) throw new InvalidConfigError([{ where, what: 'it contains no ticket' }])
  return found.target
}

/** Reads until there is a target. A ticket may be wrapped; at a terminal, its line ends it. */
async function readStart(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as Buffer)
    chunks.push(bytes)
    length += bytes.byteLength
    const text = decodeText(Buffer.concat(chunks))
    const found = findTarget(text.slice(0, text.lastIndexOf('\n') + 1))
    const isTerminal = (stdin as { isTTY?: boolean }).isTTY === true
    if (length > LONGEST_BYTES || (found !== undefined && (isTerminal || found.isComplete))) break
  }
  return decodeText(Buffer.concat(chunks).subarray(0, LONGEST_BYTES))
}
