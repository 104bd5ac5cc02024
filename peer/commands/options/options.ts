/** Options that several commands of `throughnat` have in common. */

import { DEFAULT_NAMES } from '../../connections/names.ts'

/** Where this peer finds others, and is found. */
export const relays = {
  kind: 'relay-addr',
  name: 'relay',
  many: true,
  optional: true,
  placeholder: 'MA',
  doc: 'The address of a relay, with its peer id, or a /dnsaddr name of several. Repeat it for more relays',
} as const

/** More relays, which can change while the program runs. */
export const relayFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './relays',
  doc: 'A file with more relays, one a line. Changes are read while the peer runs',
} as const

/** What relays that do not let everybody in ask for. */
export const relayTokenFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './token',
  doc: 'The file with the token that the relays require. Only the relays that you give receive it',
} as const

/** Where the identity of a peer that others look for is kept. */
export const dataDir = {
  kind: 'path',
  default: '~/.local/share/throughnat',
  placeholder: 'DIR',
  doc: 'The directory for the identity. It is created if it does not exist',
} as const

/** The identity of a peer that only dials: nobody looks for it, so that a new one each time will do. */
export const dialerDataDir = {
  kind: 'path',
  optional: true,
  placeholder: 'DIR',
  doc: 'The directory that keeps the identity, where a service is open to certain peers only; without it, a new one each time',
} as const

/** What this user calls peers. */
export const names = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: DEFAULT_NAMES,
  doc: `The file of names, a NAME and a TARGET a line; without it, ${DEFAULT_NAMES} if there is one`,
} as const
