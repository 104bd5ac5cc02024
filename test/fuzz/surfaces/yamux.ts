/** Frames of the multiplexer after the handshake, at a relay and at a peer. */

import fc from 'fast-check'
import { conversation, garbage, mutated, number } from '../frames.ts'
import { bareSender, startLonePeer, startOpenRelay } from '../nodes.ts'
import type { Entry, Surface } from '../surface.ts'

const TYPES = { data: 0, window: 1, ping: 2, goAway: 3 } as const
const FLAGS = { none: 0, syn: 1, ack: 2, fin: 4, rst: 8 } as const

/** Spec: https://github.com/hashicorp/yamux/blob/master/spec.md#framing */
function frame(
  type: number,
  flags: number,
  stream: number,
  length: bigint | number,
  body: Uint8Array = Buffer.alloc(0),
  version = 0,
): Buffer {
  const header = Buffer.alloc(12)
  header[0] = version
  header[1] = type
  header.writeUInt16BE(flags, 2)
  header.writeUInt32BE(stream >>> 0, 4)
  header.writeUInt32BE(Number(BigInt(length) & 0xffffffffn), 8)
  return Buffer.concat([header, body])
}

const MULTISTREAM = Buffer.from('\x13/multistream/1.0.0\n')
const SYN = frame(TYPES.data, FLAGS.syn, 1, MULTISTREAM.byteLength, MULTISTREAM)
const VALID = [
  SYN,
  frame(TYPES.window, FLAGS.syn, 1, 0),
  frame(TYPES.window, FLAGS.none, 1, 65_536),
  frame(TYPES.ping, FLAGS.syn, 0, 7),
  frame(TYPES.goAway, FLAGS.none, 0, 0),
  frame(TYPES.data, FLAGS.fin, 1, 0),
  frame(TYPES.data, FLAGS.rst, 1, 0),
]

const typed = fc
  .record({
    type: fc.constantFrom(...Object.values(TYPES), 4, 255),
    flags: fc.constantFrom(...Object.values(FLAGS), 3, 5, 9, 15, 0xffff),
    stream: fc.constantFrom(0, 1, 2, 3, 5, 2 ** 31, 2 ** 32 - 1),
    length: number,
    body: garbage,
    isRight: fc.boolean(),
    version: fc.constantFrom(0, 0, 0, 0, 1, 255),
  })
  .map(({ type, flags, stream, length, body, isRight, version }) =>
    frame(
      type,
      flags,
      stream,
      isRight && type === 0 ? body.byteLength : length,
      isRight ? body : Buffer.alloc(0),
      version,
    ),
  )

/** Up to 500 of one frame, with a new stream each. */
const floods = fc
  .tuple(
    fc.constantFrom(TYPES.data, TYPES.window, TYPES.ping),
    fc.constantFrom(FLAGS.none, FLAGS.syn, FLAGS.rst),
    fc.integer({ min: 1, max: 500 }),
    fc.boolean(),
  )
  .map(([type, flags, count, isNew]) =>
    Buffer.concat(
      Array.from({ length: count }, (_, n) =>
        frame(type, flags, type === TYPES.ping ? 0 : isNew ? 2 * n + 1 : 1, 0),
      ),
    ),
  )

const inputs = conversation(
  fc.oneof(
    { weight: 4, arbitrary: typed },
    { weight: 4, arbitrary: mutated(VALID) },
    { weight: 1, arbitrary: floods },
  ),
)
const valid = [[SYN], [...VALID]]

const relay: Entry = {
  name: 'relay',
  inputs,
  valid,
  start: async stage => {
    const { libp2p, addrs } = await startOpenRelay(stage)
    return bareSender(stage, addrs[0]!, libp2p)
  },
}

const peer: Entry = {
  name: 'peer',
  inputs,
  valid,
  start: async stage => {
    const { peer, addr } = await startLonePeer(stage)
    return bareSender(stage, addr, peer.libp2p)
  },
}

export const yamuxFrames: Surface = { name: 'yamux', entries: [relay, peer] }
