/** The tunnel's messages and frames, without a stream around them. */

import fc from 'fast-check'
import { decodeRequest, decodeResponse } from '../../../peer/tunnel/wire/protocol.ts'
import { CUT_FRAME, encodeAck, END_FRAME, FrameReader } from '../../../peer/tunnel/resume/frames.ts'
import { garbage, mutated, number, single, conversation } from '../frames.ts'
import { allow, joined, textInput } from '../surface.ts'
import { mutatedText, textInputs } from '../texts.ts'
import type { Entry, Surface } from '../surface.ts'

const SESSION = 'AAAAAAAAAAAAAAAAAAAAAA'
export const REQUESTS = [
  JSON.stringify({ service: 'web', session: SESSION }),
  JSON.stringify({ service: 'web', session: SESSION, ticket: 'A'.repeat(32) }),
  JSON.stringify({
    service: 'web',
    session: SESSION,
    for: '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi',
    proof: 'A'.repeat(86),
  }),
  JSON.stringify({ session: SESSION, received: 0, limit: 65_536 }),
]
const RESPONSES = ['ok', 'refused', 'busy', 'gone']
  .map(status => JSON.stringify({ status }))
  .concat(JSON.stringify({ status: 'ok', received: 0, limit: 2 ** 53 - 1 }))
const WORDS = [
  '"service":',
  '"session":',
  '"received":',
  '"limit":',
  '"ticket":',
  '"for":',
  '"proof":',
  '__proto__',
  'constructor',
  '\\u0000',
  '[[[[',
  '9007199254740993',
  '-1',
  '1e308',
  'null',
  '{}',
]

/** A JSON message of any shape, with the known fields. */
const shapes = fc
  .record(
    Object.fromEntries(
      [
        'service',
        'session',
        'received',
        'limit',
        'ticket',
        'for',
        'proof',
        'status',
        '__proto__',
        'constructor',
      ].map(name => [name, fc.oneof(fc.jsonValue(), fc.constant(SESSION), fc.constant(2 ** 53))]),
    ),
    { requiredKeys: [] },
  )
  .map(it => JSON.stringify(it))

function messages(valid: string[]) {
  return fc.oneof(
    textInputs(mutatedText(valid, WORDS)),
    textInputs(shapes),
    single(mutated(valid.map(it => Buffer.from(it)))),
    single(garbage),
  )
}

const dataFrame = (length: number, body: Uint8Array): Buffer => {
  const header = Buffer.alloc(5)
  header.writeUInt32BE(length >>> 0, 1)
  return Buffer.concat([header, body])
}
const ackFrame = (received: bigint, limit: bigint): Buffer => {
  const frame = Buffer.alloc(17, 1)
  frame.writeBigUInt64BE(received, 1)
  frame.writeBigUInt64BE(limit, 9)
  return frame
}

/** Frames that are right. */
export const FRAMES: readonly Uint8Array[] = [
  dataFrame(3, Buffer.from('abc')),
  dataFrame(0, Buffer.alloc(0)),
  encodeAck({ received: 0, limit: 1 << 20 }),
  END_FRAME,
  CUT_FRAME,
]

/** Frames of the resumable stream, with lengths and positions at their boundaries. */
export const frames: fc.Arbitrary<Buffer> = fc.oneof(
  fc.tuple(number, garbage).map(([length, body]) => dataFrame(Number(length & 0xffffffffn), body)),
  fc.tuple(number, number).map(([received, limit]) => ackFrame(received, limit)),
  garbage.map(body => dataFrame(body.byteLength, body)),
  mutated(FRAMES),
  fc
    .tuple(fc.constantFrom(...FRAMES), fc.integer({ min: 1, max: 500 }))
    .map(([frame, times]) => Buffer.concat(Array.from({ length: times }, () => frame))),
)

const request: Entry = {
  name: 'request',
  inputs: messages(REQUESTS),
  valid: REQUESTS.map(textInput),
  start: () => input => allow(['InvalidMessageError'], () => decodeRequest(joined(input))),
}

const response: Entry = {
  name: 'response',
  inputs: messages(RESPONSES),
  valid: RESPONSES.map(textInput),
  start: () => input => allow(['InvalidMessageError'], () => decodeResponse(joined(input))),
}

const reader: Entry = {
  name: 'frames',
  inputs: conversation(frames),
  valid: [FRAMES],
  start: () => input => {
    let received = 0
    const reader = new FrameReader({
      onData: bytes => (received += bytes.byteLength),
      onAck: () => {},
      onEnd: () => {},
      onCut: () => {},
    })
    allow(['InvalidMessageError'], () => {
      for (const piece of input) reader.push(piece)
    })
    if (received > joined(input).byteLength) throw new Error('More data came out than went in')
  },
}

export const tunnel: Surface = { name: 'tunnel', entries: [request, response, reader] }
