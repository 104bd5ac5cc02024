/** Attacks on a WebSocket listener and other HTTP servers: heads of requests, and frames (RFC 6455, section 5.2). */

import { proposal } from './attacker.ts'
import { MIB } from './table.ts'
import type { Attack } from './table.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]
const FIN = 0x80
const MASK = 0x80

/** What asks for a WebSocket, without the empty line that ends the head. */
const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
]

const headOf = (lines: readonly string[]): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)

/** A head after which the server reads frames. */
export const UPGRADE_HEAD: Buffer = headOf(UPGRADE)

interface FrameInit {
  opcode?: number
  /** @default true */
  isLast?: boolean
  /** @default 0 */
  reserved?: number
  /** @default true */
  isMasked?: boolean
  /** The length that the head tells. @default that of the data */
  length?: bigint
  /** How the length is written, in bits. @default as few as it needs */
  bits?: 7 | 16 | 64
}

/** A frame, masked with zeros. */
function frame(data: Buffer, init: FrameInit = {}): Buffer {
  const { opcode = BINARY, isLast = true, reserved = 0, isMasked = true } = init
  const { length = BigInt(data.byteLength) } = init
  const bits = init.bits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64)
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10)
  head[0] = (isLast ? FIN : 0) | (reserved << 4) | opcode
  head[1] = (isMasked ? MASK : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127)
  if (bits === 16) head.writeUInt16BE(Number(length), 2)
  if (bits === 64) head.writeBigUInt64BE(length, 2)
  return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), data])
}

const flood = (name: string, part: Buffer, before: Buffer = Buffer.alloc(0)): Attack => ({
  name,
  bytes: Buffer.concat([before, ...Array.from({ length: Math.floor(MIB / part.byteLength) }, () => part)]),
})

const [NOTHING, BYTE] = [Buffer.alloc(0), Buffer.of(0x61)]
const KIB = Buffer.alloc(1024, 0x61)

/** A proposal, and the length of the longest message of a handshake: what waits for more. */
const WAITING = frame(Buffer.concat([proposal('/noise'), Buffer.of(0xff, 0xff)]))

/** Frames after the head. */
export function frameAttacks(): Attack[] {
  const endless = Buffer.alloc(MIB, 0x61)
  const told = (name: string, length: bigint, bits?: 7 | 16 | 64): Attack => ({
    name: `a length of ${name}`,
    bytes: frame(endless, { length, ...(bits === undefined ? {} : { bits }) }),
  })
  return [
    ...[0n, 1n, 124n, 125n].map(it => told(`${it} in 7 bits`, it)),
    ...[0n, 1n, 125n, 126n, 127n, 65_534n, 65_535n].map(it => told(`${it} in 16 bits`, it, 16)),
    ...[0n, 1n, 65_535n, 65_536n].map(it => told(`${it} in 64 bits`, it, 64)),
    ...[-1n, 0n, 1n].map(it => told(`1 MiB ${it} in 64 bits`, BigInt(MIB) + it, 64)),
    told('2^31', 2n ** 31n),
    told('2^53 - 1', 2n ** 53n - 1n),
    told('2^53', 2n ** 53n),
    told('2^63', 2n ** 63n),
    told('2^64 - 1', 2n ** 64n - 1n),
    flood('empty messages', frame(NOTHING), WAITING),
    flood('messages of a byte', frame(BYTE), WAITING),
    flood('messages of a byte in 64 bits', frame(BYTE, { bits: 64 }), WAITING),
    flood('messages of 100 bytes', frame(KIB.subarray(0, 100)), WAITING),
    flood('texts of a byte', frame(BYTE, { opcode: TEXT }), WAITING),
    flood('texts that are not UTF-8', frame(Buffer.of(0xff), { opcode: TEXT })),
    flood('empty fragments', frame(NOTHING, { opcode: CONTINUATION, isLast: false }), start(BINARY)),
    flood('fragments of a byte', frame(BYTE, { opcode: CONTINUATION, isLast: false }), start(BINARY)),
    flood('fragments of a text', frame(BYTE, { opcode: CONTINUATION, isLast: false }), start(TEXT)),
    flood('fragments of 1 KiB', frame(KIB, { opcode: CONTINUATION, isLast: false }), start(BINARY)),
    flood(
      'fragments and pings by turns',
      Buffer.concat([frame(BYTE, { opcode: CONTINUATION, isLast: false }), frame(NOTHING, { opcode: PING })]),
      start(BINARY),
    ),
    flood(
      'messages in two fragments',
      Buffer.concat([start(BINARY), frame(BYTE, { opcode: CONTINUATION })]),
      WAITING,
    ),
    flood('fragments without a beginning', frame(BYTE, { opcode: CONTINUATION })),
    flood('beginnings', start(BINARY)),
    flood('empty pings', frame(NOTHING, { opcode: PING }), WAITING),
    flood('pings of a byte', frame(BYTE, { opcode: PING }), WAITING),
    flood('the longest pings', frame(KIB.subarray(0, 125), { opcode: PING }), WAITING),
    flood('pings that are too long', frame(KIB.subarray(0, 126), { opcode: PING })),
    flood('pings in fragments', frame(BYTE, { opcode: PING, isLast: false })),
    flood('empty pongs', frame(NOTHING, { opcode: PONG }), WAITING),
    flood('the longest pongs', frame(KIB.subarray(0, 125), { opcode: PONG }), WAITING),
    flood('ends', frame(NOTHING, { opcode: CLOSE })),
    flood('ends with half a code', frame(BYTE, { opcode: CLOSE })),
    flood('ends with an unknown code', frame(Buffer.of(0xff, 0xff), { opcode: CLOSE })),
    flood('an end, and messages after it', frame(BYTE), frame(NOTHING, { opcode: CLOSE })),
    flood('messages without a mask', frame(BYTE, { isMasked: false })),
    ...[1, 2, 4, 7].map(it => flood(`reserved bits ${it}`, frame(BYTE, { reserved: it }))),
    ...[3, 7, 11, 15].map(it => flood(`the opcode ${it}`, frame(BYTE, { opcode: it }))),
  ]
}

/** The first fragment of a message. */
function start(opcode: number): Buffer {
  return frame(BYTE, { opcode, isLast: false })
}

/** Heads of requests. Those that go on are sent on one socket. */
export function headAttacks(): Attack[] {
  const once = (name: string, bytes: Buffer): Attack => ({ name, bytes })
  const get = headOf(['GET / HTTP/1.1', 'Host: 127.0.0.1'])
  const chunked = headOf(['POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'])
  return [
    flood('heads without an end', Buffer.from('a: b\r\n'), Buffer.from('GET / HTTP/1.1\r\n')),
    flood('a name without an end', Buffer.of(0x61), Buffer.from('GET / HTTP/1.1\r\n')),
    flood('a value without an end', Buffer.of(0x61), Buffer.from('GET / HTTP/1.1\r\na: ')),
    flood('a path without an end', Buffer.of(0x61), Buffer.from('GET /')),
    flood('a method without an end', Buffer.of(0x41)),
    flood('empty lines', Buffer.from('\r\n')),
    flood('requests', get),
    { name: 'requests on 16 sockets', bytes: flood('', get).bytes.subarray(0, MIB / 16), streams: 16 },
    {
      name: 'chunks on 16 sockets',
      bytes: Buffer.concat([chunked, Buffer.from('1\r\na\r\n'.repeat(10_000))]),
      streams: 16,
    },
    flood('requests without a host', headOf(['GET / HTTP/1.1'])),
    flood('requests of HTTP/1.0', headOf(['GET / HTTP/1.0', 'Connection: keep-alive'])),
    flood('requests of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
    flood('requests of an unknown method', headOf(['BREW / HTTP/1.1', 'Host: a'])),
    flood(
      'requests with a body',
      Buffer.concat([headOf(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 1']), BYTE]),
    ),
    flood('chunks of a byte', Buffer.from('1\r\na\r\n'), chunked),
    flood(
      'an extension of a chunk without an end',
      BYTE,
      Buffer.concat([
        headOf(['POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked']),
        Buffer.from('1;'),
      ]),
    ),
    flood(
      'a body without an end',
      KIB,
      headOf(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 9007199254740991']),
    ),
    flood(
      'requests that expect to continue',
      headOf(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 0', 'Expect: 100-continue']),
    ),
    flood('requests for a tunnel', headOf(['CONNECT a:1 HTTP/1.1', 'Host: a'])),
    flood(
      'requests for another upgrade',
      headOf(['GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: h2c']),
    ),
    flood('requests for a WebSocket', UPGRADE_HEAD),
    flood('requests for a WebSocket without a key', headOf(UPGRADE.slice(0, 5))),
    once(
      'as many fields as fit',
      headOf(['GET / HTTP/1.1', 'Host: a', ...Array.from({ length: 1_900 }, () => 'a:b')]),
    ),
  ]
}

/** Requests for a WebSocket that offer much. */
export function offerAttacks(): Attack[] {
  const offers = (offer: string, bytes: number): string =>
    `Sec-WebSocket-Extensions: ${Array.from({ length: Math.floor(bytes / (offer.length + 1)) }, () => offer).join(',')}`
  const withOffers = (offer: string): Buffer => headOf([...UPGRADE, offers(offer, 7_000)])
  return [
    ...[
      'permessage-deflate',
      'permessage-deflate;client_max_window_bits',
      'permessage-deflate;server_max_window_bits=8',
      'permessage-deflate;a=b;a=b',
      'a',
      'a;b;c',
      'a="\\a"',
    ].map(it => ({ name: `offers of ${it}`, bytes: withOffers(it), streams: 32 })),
    {
      name: 'subprotocols',
      bytes: headOf([...UPGRADE, `Sec-WebSocket-Protocol: ${'a,'.repeat(3_000)}a`]),
      streams: 32,
    },
  ]
}
