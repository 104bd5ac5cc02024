/** Why a remote peer was refused a service, for the owner of the service: the reason, and what it means. */

import { causesOf } from '../../../src/failures/causes.ts'
import { describeSystemError } from '../../../src/failures/system-errors.ts'
import type { ServiceRefusal, ServiceRefused } from '../../tunnel/listener/service-events.ts'

const MEANINGS: Readonly<Record<ServiceRefusal, string>> = {
  unknown: 'there is no such service',
  'not-allowed': 'no rule allows it to this peer',
  'ticket-unknown': 'its ticket was revoked, or is not one of this node',
  'ticket-expired': 'its ticket has expired',
  'ticket-clock': "its ticket was made later than this machine's clock shows, so the clock is wrong",
  'ticket-used-up': 'its ticket has been used by as many peers as it is for',
  'ticket-guesses': 'it has shown too many wrong tickets',
  'ticket-unreadable': 'the tickets cannot be read from the disk',
  down: 'the service did not accept the connection',
  busy: 'too many connections are open',
  malformed: 'its request cannot be understood',
  silent: 'it sent no request in time',
  gone: 'it left before it was served',
}

/** One clause, without a full stop: `down: cannot connect to /run/web.sock: this user may not do that (EACCES)`. */
export function describeRefusal({ reason, error }: Pick<ServiceRefused, 'reason' | 'error'>): string {
  return `${reason}: ${reason === 'down' ? describeCause(error) : MEANINGS[reason]}`
}

/** The system's reason, with the address where there is one: a name that has several fails with one error for each. */
function describeCause(error: Error | undefined): string {
  const causes = [...causesOf(error)]
  const cause = causes.find(it => 'syscall' in it) ?? causes[0]
  if (cause === undefined) return MEANINGS.down
  const sentence = describeSystemError(cause) ?? cause.message
  const clause = sentence.replace(/\.$/, '')
  return clause === '' ? MEANINGS.down : clause.charAt(0).toLowerCase() + clause.slice(1)
}
