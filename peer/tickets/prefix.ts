/** How the text of a ticket begins, and how it is kept out of the command line that other users see. */

/** The prefix of a ticket's text: its kind and version. */
export const TICKET_PREFIX = 'tnat1'

/**
 * Overwrites the arguments of this process, as `ps` and /proc show them, if one contains a ticket. Call it before anything
 * else is loaded: until then, every user of the machine can read the ticket. `process.argv` stays as it is.
 */
export function hideTicketArguments(): void {
  if (process.argv.some(it => it.includes(TICKET_PREFIX))) process.title = 'throughnat'
}
