/**
 * The destination of a command's connections: an address, a peer id, a name for one, or a ticket.
 *
 * Invariant: a ticket is a secret and is not shown. It may come from a file or from standard input. If it is
 * on the command line, it is removed from the output of `ps`.
 */

import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { InvalidConfigError, UsageError } from '../../../src/errors.ts'
import { parseTarget } from '../../connections/target.ts'
import { decodeTicket, looksLikeTicket } from '../../tickets/ticket.ts'
import type { Output } from '../../../src/cli/output.ts'
import type { PeerNames } from '../../connections/names.ts'
import type { Ticket } from '../../tickets/ticket.ts'

/** The argument `TARGET`. */
export const target = {
  kind: 'string',
  doc: 'A circuit address (.../p2p/RELAY/p2p-circuit/p2p/PEER), a peer id together with --relay, a name from the file of names, or a ticket: its text, @FILE, or - for standard input',
  example: '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer...',
} as const

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

/** Most bytes to read from standard input: more than the longest ticket. */
const LONGEST_BYTES = 4096

/**
 * Reads a destination.
 *
 * @throws {UsageError} if a ticket is damaged
 * @throws {InvalidTargetError} if the text is not a target
 * @throws {InvalidConfigError} if a name is unknown, or a file cannot be read
 */
export async function readDestination(text: string, context: DestinationContext): Promise<Destination> {
  // this overwrites the arguments
  if (looksLikeTicket(text)) process.title = 'throughnat'
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
      `The ticket expired on ${expiresAt.toISOString()}, according to this machine's clock.`,
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

async function dereference(text: string, { names, stdin }: DestinationContext): Promise<string> {
  if (text === '-') return firstLine(await readStart(stdin), 'standard input')
  if (text.startsWith('@')) return readTicketFile(text.slice(1))
  return names.resolve(text, 'TARGET')
}

/** Reads a target from a file. @throws {InvalidConfigError} if the file cannot be read or is empty */
export async function readTicketFile(path: string): Promise<string> {
  try {
    return firstLine(await readFile(path, 'utf8'), path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new InvalidConfigError([{ where: 'TARGET', what: `${path} cannot be read (${code})` }])
  }
}

function firstLine(text: string, where: string): string {
  const line = text.split('\n').find(it => it.trim() !== '' && !it.startsWith('#'))
  if (line === undefined) throw new InvalidConfigError([{ where, what: 'it contains no ticket' }])
  return line.trim()
}

async function readStart(stdin: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > LONGEST_BYTES || text.includes('\n')) break
  }
  return text.slice(0, LONGEST_BYTES)
}
