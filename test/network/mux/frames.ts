/** Frames of yamux, and floods of them (https://github.com/hashicorp/yamux/blob/master/spec.md). */

const DATA = 0
const WINDOW = 1
const PING = 2
const GO_AWAY = 3

const SYN = 1
const ACK = 2
const FIN = 4
const RST = 8

/** The protocols that a victim speaks: one sends back what it gets, the other throws it away. */
export const ECHO = '/test/echo/1'
export const SINK = '/test/sink/1'

const NOBODYS_STREAM = 0x7fff_ff00

/** One frame. `length` is the field of the header, where it is not that of the data. */
function frame(type: number, flags: number, stream: number, data: number | Uint8Array = 0): Buffer {
  const bytes = typeof data === 'number' ? new Uint8Array() : data
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flags, 2)
  header.writeUInt32BE(stream, 4)
  header.writeUInt32BE(typeof data === 'number' ? data : bytes.byteLength, 8)
  return Buffer.concat([header, bytes])
}

/** What negotiates a protocol on a stream (multistream-select). */
function select(protocol: string): Buffer {
  return Buffer.concat(
    ['/multistream/1.0.0', protocol].map(line =>
      Buffer.from(`${String.fromCharCode(line.length + 1)}${line}\n`),
    ),
  )
}

/** Opens a stream for a protocol. */
export function open(stream: number, protocol: string): Buffer {
  return Buffer.concat([frame(WINDOW, SYN, stream), frame(DATA, 0, stream, select(protocol))])
}

/** Lets the other side send so many more bytes on a stream. */
export const windowUpdate = (stream: number, bytes: number): Buffer => frame(WINDOW, 0, stream, bytes)

/** Asks for an answer with this number. */
export const ping = (number: number): Buffer => frame(PING, SYN, 0, number)

/** Which streams the hostile side opens: odd ids as the dialer, even ones as the listener. */
export interface Ids {
  /** A stream of the sink protocol, which is open. */
  readonly sink: number
  /** Another id each time. */
  readonly next: () => number
}

/** Makes the ids of one side. */
export function idsOf(role: 'dialer' | 'listener'): Ids {
  const sink = role === 'dialer' ? 1 : 2
  let last = sink
  return { sink, next: () => (last += 2) }
}

/** The frames of a flood: each call makes those of one step. */
export type Flood = (ids: Ids, n: number) => Buffer

const ONE = Uint8Array.of(1)
const BYTES_100 = new Uint8Array(100)
const KIB_60 = new Uint8Array(60 * 1024)

/** All floods by name. `data` is none: ordinary data, which the others are compared with. */
export const FLOODS: Readonly<Record<string, Flood>> = {
  data: ({ sink }) => frame(DATA, 0, sink, KIB_60),

  pings: (_, n) => frame(PING, SYN, 0, n),
  'answers to no ping': (_, n) => frame(PING, ACK, 0, n),
  'answers to the first ping': () => frame(PING, ACK, 0, 0),
  'pings that are requests and answers': (_, n) => frame(PING, SYN | ACK, 0, n),

  'window updates of 0': ({ sink }) => frame(WINDOW, 0, sink, 0),
  'window updates of 1': ({ sink }) => frame(WINDOW, 0, sink, 1),
  'window updates that overflow': ({ sink }) => frame(WINDOW, 0, sink, 0xffff_ffff),
  'window updates that acknowledge': ({ sink }) => frame(WINDOW, ACK, sink, 0),
  'window updates of no stream': () => frame(WINDOW, 0, NOBODYS_STREAM, 1),

  'data of no bytes': ({ sink }) => frame(DATA, 0, sink),
  'data of a byte': ({ sink }) => frame(DATA, 0, sink, ONE),
  'data of a byte that echoes': ({ next, sink }, n) =>
    n === 0 ? open(next(), ECHO) : frame(DATA, 0, sink + 2, ONE),
  'data of a byte on two streams by turns': ({ next, sink }, n) =>
    n === 0 ? open(next(), SINK) : frame(DATA, 0, sink + 2 * (n % 2), ONE),
  'data of a byte on 16 streams by turns': ({ next, sink }, n) =>
    n < 16 ? open(next(), SINK) : frame(DATA, 0, sink + 2 * (n % 16), ONE),
  'data of a byte on a stream and on none by turns': ({ sink }, n) =>
    frame(DATA, 0, n % 2 === 0 ? sink : NOBODYS_STREAM, ONE),
  'data of a byte and of 100 bytes on two streams by turns': ({ next, sink }, n) =>
    n === 0 ? open(next(), SINK) : frame(DATA, 0, sink + 2 * (n % 2), n % 2 === 0 ? ONE : BYTES_100),
  'data of a byte to no stream': () => frame(DATA, 0, NOBODYS_STREAM, ONE),
  'data of no bytes to no stream': () => frame(DATA, 0, NOBODYS_STREAM),
  'data of no bytes that opens one stream': ({ sink }) => frame(DATA, SYN, sink),

  'new streams': ({ next }) => frame(WINDOW, SYN, next()),
  'new streams with a byte': ({ next }) => frame(DATA, SYN, next(), ONE),
  'new streams that are closed': ({ next }) => frame(WINDOW, SYN | FIN, next()),
  'new streams that are reset': ({ next }) => frame(WINDOW, SYN | RST, next()),
  'new streams and resets': ({ next }) => {
    const id = next()
    return Buffer.concat([frame(WINDOW, SYN, id), frame(WINDOW, RST, id)])
  },
  'new streams and closes': ({ next }) => {
    const id = next()
    return Buffer.concat([frame(WINDOW, SYN, id), frame(WINDOW, FIN, id)])
  },
  'new streams with a byte, and resets': ({ next }) => {
    const id = next()
    return Buffer.concat([frame(DATA, SYN, id, ONE), frame(WINDOW, RST, id)])
  },
  'new streams that choose a protocol, and resets': ({ next }) => {
    const id = next()
    return Buffer.concat([open(id, ECHO), frame(WINDOW, RST, id)])
  },
  'one stream, opened and reset': ({ sink }) =>
    Buffer.concat([frame(WINDOW, SYN, sink + 2), frame(WINDOW, RST, sink + 2)]),

  'resets of no stream': () => frame(WINDOW, RST, NOBODYS_STREAM),
  'closes of no stream': () => frame(WINDOW, FIN, NOBODYS_STREAM),
  'closes of one stream': ({ sink }) => frame(WINDOW, FIN, sink),

  'ends of the session': () => frame(GO_AWAY, 0, 0, 0),
  'ends of the session for an error': () => frame(GO_AWAY, 0, 0, 1),
  'ends of the session for no known reason': () => frame(GO_AWAY, 0, 0, 99),
  'an end of the session, and new streams': ({ next }, n) =>
    n === 0 ? frame(GO_AWAY, 0, 0, 0) : frame(WINDOW, SYN, next()),

  'data of the session': () => frame(DATA, 0, 0),
  'frames of no type': () => frame(9, 0, 1),

  'messages of a byte': ({ sink }, n) =>
    n % (KIB_60.byteLength + 1) === 0 ? frame(DATA, 0, sink, KIB_60).subarray(0, 12) : Buffer.from(ONE),
  'messages of half a frame': ({ sink }, n) =>
    n % 2 === 0 ? frame(DATA, 0, sink, ONE).subarray(0, 6) : frame(DATA, 0, sink, ONE).subarray(6),
  'messages of a frame of a byte': ({ sink }) => frame(DATA, 0, sink, ONE),
  'messages of 100 bytes': ({ sink }) => frame(DATA, 0, sink, BYTES_100),
}

/** Whether each step of a flood is encrypted by itself, in a message of Noise. */
export const isInMessages = (name: string): boolean => name.startsWith('messages of')

/** What Noise adds to each message, in bytes: a length, and a tag. */
export const MESSAGE_BYTES = 18
