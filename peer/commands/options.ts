/** Options that several commands of `throughnat` have in common. */

/** Where this peer finds others, and is found. */
export const relays = {
  kind: 'relay-addr',
  name: 'relay',
  many: true,
  optional: true,
  placeholder: 'MA',
  doc: "A relay's address, with its peer id, or a name for some (/dnsaddr/...); may be given several times",
} as const

/** More relays, which can change while the program runs. */
export const relayFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './relays',
  doc: 'A file with more relays, one a line; it is read again when it changes',
} as const

/** What relays that do not let everybody in ask for. */
export const relayTokenFile = {
  kind: 'path',
  optional: true,
  placeholder: 'FILE',
  example: './token',
  doc: 'The file that holds the token which the relays ask for; only those of --relay are shown it',
} as const

/** Where the identity of a peer that others look for is kept. */
export const dataDir = {
  kind: 'path',
  default: '~/.local/share/throughnat',
  placeholder: 'DIR',
  doc: 'The directory that keeps the identity; created if it does not exist',
} as const

/** The identity of a peer that only dials: nobody looks for it, so that a new one each time will do. */
export const dialerDataDir = {
  kind: 'path',
  optional: true,
  placeholder: 'DIR',
  doc: 'The directory that keeps the identity, where a service is open to certain peers only; without it, a new one each time',
} as const

/** The remote peer. */
export const target = {
  kind: 'string',
  doc: 'A circuit address (.../p2p/RELAY/p2p-circuit/p2p/PEER), or a peer id together with --relay',
  example: '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer...',
} as const
