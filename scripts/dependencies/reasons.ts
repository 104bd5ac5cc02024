/** Why each production dependency is there. `npm run docs` writes them to docs/dependencies.md. */

export const reasons: Readonly<Record<string, string>> = {
  '@chainsafe/libp2p-noise': 'Noise, the encryption of connections and of circuits',
  '@chainsafe/libp2p-yamux': 'yamux, the multiplexer of streams',
  '@libp2p/circuit-relay-v2':
    "the peer's transport for circuits, and the messages of circuit-relay v2; the relay's side is our own",
  '@libp2p/crypto': 'keys: Ed25519 identities, signatures of records and vouchers',
  '@libp2p/dcutr': 'the messages of DCUtR; the exchange is our own',
  '@libp2p/identify': 'identify: the addresses and protocols of peers',
  '@libp2p/interface': 'the types and errors of libp2p, which our API uses',
  '@libp2p/interface-internal': 'the types of libp2p that services see',
  '@libp2p/multistream-select':
    'the negotiation of protocols on sockets, connections and streams; libp2p uses it, too',
  '@libp2p/peer-id': 'peer ids as text and from keys',
  '@libp2p/peer-record': 'signed records: addresses in identify, vouchers of relays',
  '@libp2p/ping': 'answers to pings of other peers',
  '@libp2p/tcp': 'listeners and sockets; the shared port for punching is our own',
  '@libp2p/tls':
    'TLS at the relay, for peers of other implementations that do not speak Noise; and for tls() where there is no socket',
  '@libp2p/utils': 'length-prefixed messages, rate limits, address helpers of libp2p',
  '@libp2p/websockets': 'WebSocket, for networks that allow only port 443',
  '@multiformats/multiaddr': 'addresses',
  '@multiformats/multiaddr-matcher': 'kinds of addresses',
  'classic-level':
    'LevelDB, the only native code: tickets and known peers survive a crash. Loaded only with a data directory',
  commander: 'parsing of command lines',
  'datastore-level': "LevelDB as libp2p's datastore. Loaded only with a data directory",
  'fastest-levenshtein': 'the nearest name, for a mistyped option or peer',
  'ipaddr.js': 'ranges of IP addresses: what is private, what a rule matches',
  libp2p: 'the node: connections, dialing, protocols',
  'main-event': 'typed events, as libp2p has them',
  ms: 'durations in options: 24h',
  multiformats: 'the text forms of peer ids and tickets',
  'pretty-bytes': 'sizes for people, in status and on the status page',
  'pretty-ms': 'durations for people, in status and messages',
  'prom-client':
    'metrics for Prometheus, with the histograms and the metrics of Node.js. It brings tdigest and bintrees for summaries, which are not used',
  'protons-runtime': 'reading and writing of Protocol Buffers',
  'quick-lru': 'bounded memory of remotes',
  'race-signal': 'waiting that can be cancelled',
  uint8arraylist: "byte lists, as libp2p's streams have them",
  yaml: 'configuration files',
}
