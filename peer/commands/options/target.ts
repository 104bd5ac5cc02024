/** The argument `TARGET` of the commands that dial. */

export const target = {
  kind: 'string',
  doc: 'A circuit address (.../p2p/RELAY/p2p-circuit/p2p/PEER), a peer id together with --relay, a name from the file of names, or a ticket: its text, @FILE, or - for standard input',
  example: '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer...',
} as const
