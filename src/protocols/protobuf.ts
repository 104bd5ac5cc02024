/**
 * Describes a protobuf message by a table of its fields; protons-runtime reads and writes the wire.
 *
 * protons' own generator writes `enum` and `namespace`, which Node cannot run from TypeScript, and it refuses a message whose
 * enum has a value that it does not know: an unknown type must be answered UNEXPECTED_MESSAGE, so enums are numbers here.
 */

import { decodeMessage, encodeMessage, reader as createReader } from 'protons-runtime'
import type { Codec, Reader, Writer } from 'protons-runtime'
import type { ProtobufDecoder } from '@libp2p/utils'

/** One field: its number, and how its value is read and written. */
export interface Field<T> {
  readonly number: number
  readonly wireType: number
  readonly isRepeated: boolean
  read(reader: Reader): T
  write(value: T, writer: Writer): void
}

/** A field whose type of value is not known. */
type AnyField = Pick<Field<unknown>, 'number' | 'wireType' | 'isRepeated'>

/** What a table of fields reads to; every field may be absent, as in proto3, and a repeated one is then empty. */
export type MessageOf<Fields> = {
  -readonly [Name in keyof Fields]?: Fields[Name] extends Field<infer T> ? T : never
}

/** A message that can be read and written. */
export interface MessageType<T> {
  encode(value: T): Uint8Array
  /** Fields that are not in the table are skipped. @throws {Error} if the bytes are no protobuf message */
  decode: ProtobufDecoder<T>
  /** The fields of an encoded message that are not in the table, each with its tag, in order. */
  unknownFields(received: Uint8Array): Uint8Array[]
  readonly codec: Pick<Codec<T>, 'encode' | 'decode'>
}

const VARINT = 0
const FIXED_64 = 1
const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4

/** Groups in groups that are skipped. No message that is known has any. */
const MAX_GROUP_DEPTH = 8

/** An enum, or a `uint32`. */
export function uint32(number: number): Field<number> {
  return scalar(number, VARINT, {
    read: reader => reader.uint32(),
    write: (value, writer) => writer.uint32(value),
  })
}

/** A `uint64` that is read and written as a number; beyond 2^53 it loses its last digits. */
export function uint64(number: number): Field<number> {
  return scalar(number, VARINT, {
    read: reader => reader.uint64Number(),
    write: (value, writer) => writer.uint64Number(value),
  })
}

/** A `fixed64`. */
export function fixed64(number: number): Field<bigint> {
  return scalar(number, FIXED_64, {
    // protons-runtime 7 reads what has its highest bit set as a negative number
    read: reader => BigInt.asUintN(64, reader.fixed64()),
    write: (value, writer) => writer.fixed64(value),
  })
}

/** `bytes`. */
export function bytes(number: number): Field<Uint8Array> {
  return scalar(number, LENGTH_DELIMITED, {
    read: reader => reader.bytes(),
    write: (value, writer) => writer.bytes(value),
  })
}

/** A message within a message. */
export function nested<T>(number: number, { codec }: MessageType<T>): Field<T> {
  return scalar(number, LENGTH_DELIMITED, {
    read: reader => {
      const length = reader.uint32()
      // what is inside may not reach beyond: protons' generated code does not look either
      if (reader.pos + length > reader.len) throw new RangeError('a message ends before its last field does')
      return codec.decode(reader, length)
    },
    write: (value, writer) => codec.encode(value as Partial<T>, writer),
  })
}

/** Any number of a field's values. */
export function repeated<T>(field: Field<T>): Field<T[]> {
  return { ...field, isRepeated: true } as unknown as Field<T[]>
}

function scalar<T>(
  number: number,
  wireType: number,
  io: { read(reader: Reader): T; write(value: T, writer: Writer): void },
): Field<T> {
  return { number, wireType, isRepeated: false, ...io }
}

/** Makes a message of its fields. */
export function messageType<const Fields extends Record<string, AnyField>>(
  table: Fields,
): MessageType<MessageOf<Fields>> {
  type Message = Record<string, unknown>
  const fields = Object.entries(table) as unknown as Array<[string, Field<unknown>]>
  const byNumber = new Map(fields.map(entry => [entry[1].number, entry]))
  const codec: MessageType<Message>['codec'] = {
    encode: (value, writer, { lengthDelimited = true } = {}) => {
      if (lengthDelimited) writer.fork()
      for (const [name, field] of fields) writeField(field, value[name], writer)
      if (lengthDelimited) writer.ldelim()
    },
    decode: (reader, length) => {
      const end = length === undefined ? reader.len : reader.pos + length
      const value: Message = {}
      while (reader.pos < end) readField(byNumber, reader, value)
      if (reader.pos > end) throw new RangeError('a field reaches beyond the end of its message')
      return value
    },
  }
  return {
    codec,
    encode: (value: Message) => encodeMessage(value, codec),
    decode: (received: Uint8Array) => decodeMessage(received, codec),
    unknownFields: (received: Uint8Array) => collectUnknown(byNumber, received),
  } as unknown as MessageType<MessageOf<Fields>>
}

function writeField(field: Field<unknown>, value: unknown, writer: Writer): void {
  if (value === undefined) return
  for (const item of field.isRepeated ? (value as unknown[]) : [value]) {
    writer.uint32((field.number << 3) | field.wireType)
    field.write(item, writer)
  }
}

function collectUnknown(known: ReadonlyMap<number, unknown>, received: Uint8Array): Uint8Array[] {
  const reader = createReader(received)
  const unknown: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = reader.uint32()
    skip(reader, tag)
    if (!known.has(tag >>> 3)) unknown.push(received.slice(start, reader.pos))
  }
  return unknown
}

/** Skips a field that is not in the table. @throws {TypeError} if its number is 0, or it is no field */
function skip(reader: Reader, tag: number): void {
  const wireType = tag & 7
  if (tag >>> 3 === 0) throw new TypeError('a field has the number 0')
  if (wireType === START_GROUP) skipGroup(reader)
  else reader.skipType(wireType)
}

/** Groups are deprecated. protons-runtime skips them by recursion, so that each byte can cost a call. */
function skipGroup(reader: Reader): void {
  for (let depth = 1; depth > 0; ) {
    const wireType = reader.uint32() & 7
    if (wireType === END_GROUP) depth--
    else if (wireType !== START_GROUP) reader.skipType(wireType)
    else if (++depth > MAX_GROUP_DEPTH) throw new TypeError('groups are nested too deeply')
  }
}

function readField(
  byNumber: ReadonlyMap<number, [string, Field<unknown>]>,
  reader: Reader,
  message: Record<string, unknown>,
): void {
  const tag = reader.uint32()
  const wireType = tag & 7
  const [name, field] = byNumber.get(tag >>> 3) ?? []
  if (name === undefined || field === undefined) {
    skip(reader, tag)
    return
  }
  if (wireType !== field.wireType) throw new TypeError(`the field ${name} has the wrong wire type`)
  const value = field.read(reader)
  if (field.isRepeated) ((message[name] ??= []) as unknown[]).push(value)
  else message[name] = value
}
