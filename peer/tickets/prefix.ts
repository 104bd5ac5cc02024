/**
 * How the text of a ticket begins, and how it is kept out of output and of the command line that other users see. It needs
 * no library, because it is loaded before everything else.
 */

/** The prefix of a ticket's text: its kind and version. */
export const TICKET_PREFIX = 'tnat1'

/** True if a text has the prefix of a ticket. */
export function looksLikeTicket(text: string): boolean {
  return text.startsWith(TICKET_PREFIX)
}

/** Replaces tickets in a text that will be shown. */
export function hideTickets(text: string): string {
  return text.replace(/tnat\d[1-9A-Za-z]{8,}/g, 'tnat1(hidden)')
}

/**
 * Overwrites the arguments of this process, as `ps` and /proc show them, if one contains a ticket. Call it before anything
 * else is loaded: until then, every user of the machine can read the ticket. `process.argv` stays as it is.
 */
export function hideTicketArguments(): void {
  if (process.argv.some(it => it.includes(TICKET_PREFIX))) process.title = 'throughnat'
}
