/** Options that several commands of `throughnat` share. */

import { DEFAULT_NAMES } from '../../connections/default-names.ts'

/** The relays: where this peer reserves, and finds others. */
export const relays = {
  kind: 'relay-addr',
  name: 'relay',
  many: true,
  optional: true,
  placeholder: 'MA',
  doc: 'The address of a relay, with its peer id, or a /dnsaddr name of several. Repeat it for more relays',
} as const

/** A file of more relays. The running program follows its changes. */
export const relayFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './relays',
  doc: 'A file with more relays, one per line. The running peer follows its changes',
} as const

/** The token for relays that require one. */
export const relayTokenFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './token',
  doc: 'The file with the token that the relays require. Only relays that you configure receive it',
} as const

/** The directory with the identity of a peer that others connect to. */
export const dataDir = {
  kind: 'path',
  default: '~/.local/share/throughnat',
  placeholder: 'DIR',
  doc: 'The directory for the identity. It is created if it does not exist',
} as const

/**
 * The directory with the identity of a peer that only dials. Without it, it gets a new identity each time,
 * because nobody connects to it.
 */
const dialerDataDir = {
  kind: 'path',
  optional: true,
  placeholder: 'DIR',
  doc: 'The directory for the identity, if the service allows only certain peers. Without it, the identity is new each time',
} as const

/** The user's names for peers. */
export const names = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: DEFAULT_NAMES,
  doc: `The file of names, one NAME and TARGET per line. By default ${DEFAULT_NAMES}, if it exists`,
} as const

/** The options of a command that dials. */
export const dialingOptions = { relays, relayFile, relayTokenFile, dataDir: dialerDataDir, names } as const
