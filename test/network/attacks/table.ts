/**
 * Structured attacks on a protocol that speaks in messages with their length before them: every length, count
 * and varint at its boundaries, unterminated and overlong, one at a time.
 */

import { multiaddr } from '@multiformats/multiaddr'
import { field, framed } from '../hop-client.ts'

/** One attack: bytes that go out on each of so many streams, or sockets. */
export interface Attack {
  readonly name: string
  readonly bytes: Buffer
  /** @default 1 */
  readonly streams?: number
}

/** A field of a message. */
interface FieldInit {
  readonly name: string
  readonly number: number
  readonly kind: 'varint' | 'bytes' | 'message' | 'fixed64'
  readonly isRepeated?: boolean
}

/** What a protocol's messages are like. */
export interface MessageInit {
  /** Longest message, in bytes. */
  readonly maxBytes: number
  readonly fields?: readonly FieldInit[]
  /** Fields that stand before the wrong one, so that the message is looked at. */
  readonly before?: Buffer
}

/** Bytes of an attack that goes on without an end. */
export const MIB = 2 ** 20

/** Streams of an attack that a few KiB make up. */
const STREAMS = 32

/** Bytes that follow a length, without an end. */
const FILLERS = [
  ['zeros', 0x00],
  ['letters', 0x61],
  ['0x80', 0x80],
  ['0xff', 0xff],
] as const

const WIRE_TYPES = { varint: 0, fixed64: 1, bytes: 2, message: 2 } as const

/** A number of up to 64 bits as an unsigned varint. */
function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

/** Lengths before a message, and 1 MiB of what follows them. */
export function lengthAttacks({ maxBytes }: Pick<MessageInit, 'maxBytes'>): Attack[] {
  const eight = Buffer.alloc(8, 0x80)
  const endless = FILLERS.map(([filler, byte]) => ({
    name: `a length of eight bytes, then ${filler}`,
    bytes: Buffer.concat([eight, Buffer.alloc(MIB, byte)]),
  }))
  const at = (name: string, length: Buffer, byte = 0x61): Attack => ({
    name,
    bytes: Buffer.concat([length, Buffer.alloc(MIB, byte)]),
  })
  return [
    ...endless,
    at('eight bytes of 0xff, then zeros', Buffer.alloc(8, 0xff), 0),
    at('lengths of 0 without an end', Buffer.of(0), 0),
    at('lengths of 1 without an end', Buffer.of(1), 1),
    at('a length one below the longest', varint(maxBytes - 1)),
    at('the longest length', varint(maxBytes)),
    at('a length one above the longest', varint(maxBytes + 1)),
    at('a length of 2^31', varint(2 ** 31)),
    at('a length of 2^53', varint(2n ** 53n)),
    at('a length of 2^63', varint(2n ** 63n)),
    at('a length that is not minimal', Buffer.of(0x81, 0x00)),
    at('a length in nine bytes', Buffer.concat([Buffer.alloc(8, 0x81), Buffer.of(0x01)])),
  ]
}

/** Messages of the longest size, in each of which one field is wrong. */
export function fieldAttacks({ maxBytes, fields = [], before = Buffer.alloc(0) }: MessageInit): Attack[] {
  const attack = (name: string, ...parts: readonly Buffer[]): Attack => {
    const body = Buffer.concat([before, ...parts]).subarray(0, maxBytes)
    return { name, bytes: Buffer.concat([varint(body.byteLength), body]), streams: STREAMS }
  }
  const filled = (name: string, part: Buffer): Attack =>
    attack(
      name,
      ...Array.from({ length: Math.floor((maxBytes - before.byteLength) / part.byteLength) }, () => part),
    )
  const unknown = [
    filled('unknown fields of one byte', Buffer.of(0x78, 0)),
    filled('unknown empty fields', Buffer.of(0x7a, 0)),
    filled('groups in groups', Buffer.of(0x7b)),
    filled('ends of groups', Buffer.of(0x7c)),
    filled('tags that do not end', Buffer.of(0x80)),
    filled('fields of number 0', Buffer.of(0)),
  ]
  return [...unknown, ...fields.flatMap(it => attacksOn(it, attack, filled))]
}

function attacksOn(
  { name, number, kind, isRepeated = false }: FieldInit,
  attack: (name: string, ...parts: readonly Buffer[]) => Attack,
  filled: (name: string, part: Buffer) => Attack,
): Attack[] {
  const tag = varint((number << 3) | WIRE_TYPES[kind])
  const values: ReadonlyArray<[string, Buffer]> = [
    ['0', varint(0)],
    ['1', varint(1)],
    ['2^31 - 1', varint(2 ** 31 - 1)],
    ['2^32', varint(2 ** 32)],
    ['2^64 - 1', varint(2n ** 64n - 1n)],
    ['ten bytes and no end', Buffer.alloc(10, 0x80)],
    ['a number in ten bytes', Buffer.concat([Buffer.alloc(9, 0x80), Buffer.of(0)])],
  ]
  const what = kind === 'varint' ? name : `the length of ${name}`
  const boundaries = values.map(([value, bytes]) => attack(`${what}: ${value}`, tag, bytes, Buffer.alloc(64)))
  const often = filled(
    `${name} again and again`,
    Buffer.concat([tag, Buffer.of(0), ...(kind === 'fixed64' ? [Buffer.alloc(7)] : [])]),
  )
  const wrongType = attack(`${name} of another type`, varint((number << 3) | 5), Buffer.alloc(64))
  if (!isRepeated) return [...boundaries, often, wrongType]
  const addrs = ['/ip4/1.2.3.4', '/ip4/11.2.3.4/tcp/65535', '/dns/a/tcp/1', '/p2p-circuit'].map(text =>
    filled(`${name}, each ${text}`, field(number, multiaddr(text).bytes)),
  )
  const broken = filled(`${name}, each broken`, field(number, Buffer.of(0x04, 0x01)))
  return [...boundaries, often, wrongType, ...addrs, broken]
}

/** Lines of multistream-select. */
export function negotiationAttacks(protocol: string): Attack[] {
  const line = (text: string): Buffer => framed(Buffer.from(`${text}\n`))
  const header = line('/multistream/1.0.0')
  const flood = (name: string, part: Buffer, before: Buffer = header): Attack => ({
    name,
    bytes: Buffer.concat([before, ...Array.from({ length: Math.floor(MIB / part.byteLength) }, () => part)]),
  })
  return [
    ...lengthAttacks({ maxBytes: 1024 }),
    ...lengthAttacks({ maxBytes: 1024 }).map(({ name, bytes }) => ({
      name: `after the header, ${name}`,
      bytes: Buffer.concat([header, bytes]),
    })),
    flood('headers without an end', header),
    flood('proposals without an end', line('x')),
    flood('empty lines without an end', Buffer.of(1, 0x0a)),
    flood('ls without an end', line('ls')),
    flood('long proposals without an end', line('x'.repeat(1022))),
    flood('proposals that are nearly right', line(`${protocol} `.slice(1))),
  ]
}

/** Messages of a Noise handshake: a length of two bytes, and as many bytes. */
export function handshakeAttacks(): Attack[] {
  const framed = (length: number, bytes = length): Buffer =>
    Buffer.concat([Buffer.of(length >> 8, length & 255), Buffer.alloc(bytes, 0x61)])
  return [
    { name: 'empty messages', bytes: framed(0, MIB) },
    { name: 'messages of one byte', bytes: Buffer.concat(Array.from({ length: MIB / 3 }, () => framed(1))) },
    { name: 'one byte less than a key', bytes: framed(31, MIB) },
    { name: 'a key and more', bytes: framed(33, MIB) },
    { name: 'the longest message', bytes: framed(65_535, MIB) },
    { name: 'a key, then messages of a byte', bytes: Buffer.concat([framed(32), framed(1, MIB)]) },
    { name: 'a key, then the longest message', bytes: Buffer.concat([framed(32), framed(65_535, MIB)]) },
  ]
}

/** Noise messages that carry nothing, or little: from the function that encrypts one. */
export const SECURED_MESSAGES: ReadonlyArray<[string, (encrypt: (bytes: Buffer) => Uint8Array) => Buffer]> = [
  ['empty', () => Buffer.alloc(2)],
  ['of a byte that is no tag', () => Buffer.of(0, 1, 0)],
  ['of nothing but a tag', encrypt => Buffer.concat([Buffer.of(0, 16), encrypt(Buffer.alloc(0))])],
  ['of a wrong tag', () => Buffer.concat([Buffer.of(0, 17), Buffer.alloc(17)])],
  ['of one byte', encrypt => Buffer.concat([Buffer.of(0, 17), encrypt(Buffer.of(0x0a))])],
]
