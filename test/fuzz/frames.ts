/**
 * Generators of bytes that are nearly right: one field at a time is wrong, and lengths, counts and varints sit at their
 * boundaries. Random bytes alone do not get past the first check of a parser.
 */

import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import type { Input } from './surface.ts'

/** Where lengths, counts and positions change their meaning somewhere in this project or in libp2p. */
const BOUNDARIES: readonly bigint[] = [
  0n,
  1n,
  2n,
  17n,
  63n,
  64n,
  126n,
  127n,
  128n,
  129n,
  255n,
  256n,
  1023n,
  1024n,
  1025n,
  4095n,
  4096n,
  4097n,
  8191n,
  8192n,
  16_383n,
  16_384n,
  65_535n,
  65_536n,
  262_144n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
]

/** A number at a boundary, or anywhere. */
export const number: Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...BOUNDARIES) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
)

/** Writes an unsigned varint. */
function varint(value: bigint | number): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

/** A message with its length before it. */
export function framed(body: Uint8Array): Buffer {
  return Buffer.concat([varint(body.byteLength), body])
}

/** More bytes than the number needs, as an unsigned varint must not have. */
function overlong(value: bigint, extra: number): Buffer {
  const bytes = varint(value)
  bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) | 128
  return Buffer.concat([bytes, Buffer.alloc(extra, 128), Buffer.of(0)])
}

/** A varint that is right, too large, too long, or never ends: the bytes after eight of them are looked at anew each time by some decoders. */
export const hostileVarint: Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: number.map(varint) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(number, fc.integer({ min: 0, max: 9 }))
      .map(([value, extra]) => overlong(value, extra)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 1, max: 11 }),
        fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xff),
        fc.constantFrom(0, 1, 16, 300, 4096),
      )
      .map(([high, tail, count]) => Buffer.concat([Buffer.alloc(high, 0x80), Buffer.alloc(count, tail)])),
  },
)

/** Bytes, mostly few. */
export const garbage: Arbitrary<Buffer> = fc
  .oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 48 }) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }) },
  )
  .map(bytes => Buffer.from(bytes))

/** One change of a frame. Positions are fractions, so that they fit a frame of any length. */
type Change = (frame: Buffer) => Buffer

const fraction = fc.integer({ min: 0, max: 1_000_000 })
const at = (frame: Buffer, part: number): number => Math.floor((part / 1_000_001) * (frame.byteLength + 1))

const change: Arbitrary<Change> = fc.oneof(
  fc.tuple(fraction, fc.integer({ min: 0, max: 7 })).map(
    ([part, bit]): Change =>
      frame => {
        const flipped = Buffer.from(frame)
        const place = Math.min(at(frame, part), frame.byteLength - 1)
        if (place >= 0) flipped[place] = (flipped[place] ?? 0) ^ (1 << bit)
        return flipped
      },
  ),
  fc.tuple(fraction, fc.constantFrom(0, 1, 0x7f, 0x80, 0xfe, 0xff)).map(
    ([part, byte]): Change =>
      frame => {
        const changed = Buffer.from(frame)
        const place = Math.min(at(frame, part), frame.byteLength - 1)
        if (place >= 0) changed[place] = byte
        return changed
      },
  ),
  fraction.map(
    (part): Change =>
      frame =>
        frame.subarray(0, at(frame, part)),
  ),
  garbage.map(
    (tail): Change =>
      frame =>
        Buffer.concat([frame, tail]),
  ),
  fc.tuple(fraction, fc.oneof(hostileVarint, garbage)).map(
    ([part, bytes]): Change =>
      frame =>
        Buffer.concat([frame.subarray(0, at(frame, part)), bytes, frame.subarray(at(frame, part))]),
  ),
  fc.tuple(fraction, fraction).map(
    ([one, other]): Change =>
      frame => {
        const [from, to] = [at(frame, Math.min(one, other)), at(frame, Math.max(one, other))]
        return Buffer.concat([frame.subarray(0, from), frame.subarray(to)])
      },
  ),
  fc.tuple(fraction, fraction, fc.integer({ min: 2, max: 20 })).map(
    ([one, other, times]): Change =>
      frame => {
        const [from, to] = [at(frame, Math.min(one, other)), at(frame, Math.max(one, other))]
        return Buffer.concat([
          frame.subarray(0, from),
          ...Array.from({ length: times }, () => frame.subarray(from, to)),
          frame.subarray(to),
        ])
      },
  ),
  // another length before the same body
  hostileVarint.map(
    (length): Change =>
      frame =>
        Buffer.concat([length, frame.subarray(1)]),
  ),
  // the length agrees, and what it counts goes on
  garbage.map(
    (tail): Change =>
      frame =>
        framed(Buffer.concat([frame.subarray(1), tail])),
  ),
)

/** One of the frames, changed in up to three ways. */
export function mutated(valid: readonly Uint8Array[]): Arbitrary<Buffer> {
  const changes = fc.oneof(
    { weight: 1, arbitrary: fc.constant([] as Change[]) },
    { weight: 9, arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }) },
  )
  return fc
    .tuple(fc.constantFrom(...valid), changes)
    .map(([frame, all]) => all.reduce<Buffer>((bytes, apply) => apply(bytes), Buffer.from(frame)))
}

/** A protobuf message of these fields and some that nobody knows, with right and wrong types and lengths, nested up to three deep. */
export function protobuf(numbers: readonly number[], depth = 2): Arbitrary<Buffer> {
  const inner = depth === 0 ? garbage : fc.oneof(garbage, protobuf(numbers, depth - 1))
  const tag = fc
    .tuple(
      fc.constantFrom(...numbers, ...numbers, 0, 15, 16, 1001, 2 ** 29 - 1),
      fc.integer({ min: 0, max: 7 }),
    )
    .map(([field, type]) => varint((BigInt(field) << 3n) | BigInt(type)))
  const known = fc.constantFrom(...numbers)
  const field = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(known, number).map(([it, value]) => Buffer.concat([varint(it * 8), varint(value)])),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(known, inner)
        .map(([it, body]) => Buffer.concat([varint(it * 8 + 2), framed(body)])),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(known, hostileVarint).map(([it, value]) => Buffer.concat([varint(it * 8), value])),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(known, hostileVarint, inner)
        .map(([it, length, body]) => Buffer.concat([varint(it * 8 + 2), length, body])),
    },
    { weight: 1, arbitrary: fc.tuple(tag, garbage).map(parts => Buffer.concat(parts)) },
  )
  return fc.array(field, { maxLength: 8 }).map(fields => Buffer.concat(fields))
}

/** A message with its length before it, which is sometimes wrong. */
export function lengthPrefixed(body: Arbitrary<Buffer>): Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 6, arbitrary: body.map(framed) },
    { weight: 1, arbitrary: fc.tuple(hostileVarint, body).map(parts => Buffer.concat(parts)) },
  )
}

/** One frame. */
export function single(frame: Arbitrary<Buffer>): Arbitrary<Input> {
  return frame.map(it => [it])
}

/** Up to five frames, sometimes cut elsewhere than where they end. */
export function conversation(frame: Arbitrary<Buffer>, maxLength = 5): Arbitrary<Input> {
  const frames = fc.array(frame, { minLength: 1, maxLength })
  return fc.oneof(
    { weight: 3, arbitrary: frames },
    {
      weight: 1,
      arbitrary: fc.tuple(frames, fraction).map(([all, part]) => {
        const bytes = Buffer.concat(all)
        return [bytes.subarray(0, at(bytes, part)), bytes.subarray(at(bytes, part))]
      }),
    },
  )
}
