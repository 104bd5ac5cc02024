/** Tickets: their text, the message in it behind a right checksum, and the texts that must not show one. */

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { multiaddr } from '@multiformats/multiaddr'
import { base58btc } from 'multiformats/bases/base58'
import { findTarget } from '../../../peer/commands/options/target-text.ts'
import { parseTarget } from '../../../peer/connections/target.ts'
import { hideTickets } from '../../../peer/tickets/prefix.ts'
import { decodeTicket, encodeTicket } from '../../../peer/tickets/ticket.ts'
import { TICKET_PREFIX } from '../../../peer/tickets/prefix.ts'
import { mutated, protobuf, single } from '../frames.ts'
import { PEER } from './hop-messages.ts'
import { allow, joined, textInput } from '../surface.ts'
import { mutatedText, textInputs } from '../texts.ts'
import type { Entry, Surface } from '../surface.ts'

/** More bytes than the longest text of a ticket has. */
const LONGEST_BODY = 1024

const SECRET = Buffer.alloc(24, 5).toString('base64url')
const ticket = encodeTicket({
  peerId: PEER,
  places: [multiaddr(`/ip4/192.0.2.1/tcp/4001/p2p/${PEER}`), multiaddr('/ip4/192.0.2.9/tcp/4001')],
  service: 'web',
  secret: SECRET,
  expiresAt: new Date(2_000_000_000_000),
})
const body = Buffer.from(base58btc.baseDecode(ticket.slice(TICKET_PREFIX.length))).subarray(0, -4)

function withChecksum(message: Uint8Array): string {
  const sum = createHash('sha256').update(message).digest().subarray(0, 4)
  return TICKET_PREFIX + base58btc.baseEncode(Buffer.concat([message, sum]))
}

/** Reads what may be a ticket, everywhere a person may put one. No error repeats the secret part of it. */
function readTicket(text: string): void {
  const hide = (read: () => unknown): void =>
    allow(['Error', 'InvalidTargetError'], () => {
      try {
        read()
      } catch (error) {
        if (
          text.length > 40 &&
          text.startsWith(TICKET_PREFIX) &&
          (error as Error).message.includes(text.slice(9, 40))
        )
          throw new ShownTicketError((error as Error).message)
        throw error
      }
    })
  hide(() => decodeTicket(text))
  hide(() => parseTarget(text))
}

class ShownTicketError extends Error {
  override readonly name = 'ShownTicketError'
}

const text: Entry = {
  name: 'text',
  inputs: textInputs(
    mutatedText(
      [ticket, ticket.slice(0, 60), TICKET_PREFIX],
      [TICKET_PREFIX, '1111111111', 'z'.repeat(1100)],
    ),
  ),
  valid: [textInput(ticket)],
  start: () => input => readTicket(joined(input).toString()),
}

const message: Entry = {
  name: 'message',
  inputs: single(fc.oneof(mutated([body]), protobuf([1, 2, 3, 4, 5], 1))),
  valid: [[body]],
  start: () => input => {
    const message = joined(input)
    // base58 takes quadratic time here, too, and a longer text is refused by its length
    if (message.byteLength <= LONGEST_BODY) readTicket(withChecksum(message))
  },
}

const wrapped: Entry = {
  name: 'wrapped',
  inputs: textInputs(
    mutatedText(
      [`> ${ticket.slice(0, 76)}=\n> ${ticket.slice(76)}\n`, `# comment\n"${ticket}"\n`, '\n'.repeat(200)],
      ['\n', '> ', '=\r\n', '# ', '"', TICKET_PREFIX],
    ),
  ),
  valid: [textInput(`# comment\n"${ticket}"\n`)],
  start: () => input => {
    findTarget(joined(input).toString())
  },
}

const hidden: Entry = {
  name: 'hidden',
  inputs: textInputs(
    mutatedText(
      [`forward 127.0.0.1:1=${ticket}/web`, `${ticket}${ticket}`, `"${ticket}"`],
      [ticket, TICKET_PREFIX, 'tnat', '1'],
    ),
  ),
  valid: [textInput(`forward ${ticket}`)],
  start: () => input => {
    const shown = hideTickets(joined(input).toString())
    if (shown.includes(ticket)) throw new Error('A ticket is shown')
  },
}

export const tickets: Surface = { name: 'tickets', entries: [text, message, wrapped, hidden] }
