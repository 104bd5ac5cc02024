/** What comes before authentication: multistream-select and Noise over TCP, and HTTP and WebSocket frames before that. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { conversation, framed, garbage, hostileVarint, mutated } from '../frames.ts'
import { nextLoopback, startLonePeer, startOpenRelay } from '../nodes.ts'
import { inTime } from '../../waits.ts'
import { mutatedText } from '../texts.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Entry, Feed, Input, Surface } from '../surface.ts'

const line = (text: string): Buffer => framed(Buffer.from(`${text}\n`))
const SELECT = Buffer.concat([line('/multistream/1.0.0'), line('/noise')])
/** The first message of Noise XX is a key of 32 bytes, with its length in two bytes before it. */
const NOISE = Buffer.concat([Buffer.of(0, 32), Buffer.alloc(32, 9)])
const LINES = [
  line('/multistream/1.0.0'),
  line('/noise'),
  line('/tls/1.0.0'),
  line('/yamux/1.0.0'),
  line('ls'),
  line('na'),
  NOISE,
]

const lengths16 = fc
  .tuple(fc.constantFrom(0, 1, 31, 32, 33, 95, 96, 97, 65_535), garbage)
  .map(([length, body]) => Buffer.concat([Buffer.of(length >> 8, length & 255), body]))
const frames = fc.oneof(
  { weight: 4, arbitrary: mutated(LINES) },
  { weight: 1, arbitrary: hostileVarint },
  {
    weight: 2,
    arbitrary: fc.oneof(lengths16, mutated([NOISE])).map(message => Buffer.concat([SELECT, message])),
  },
  { weight: 1, arbitrary: garbage },
)

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
const HEAD_WORDS = [
  '\r\n',
  '\r\n\r\n',
  'GET ',
  'POST ',
  'Sec-WebSocket-Key: x\r\n',
  'Sec-WebSocket-Extensions: permessage-deflate\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 9\r\n',
  'Upgrade: h2c\r\n',
  'x'.repeat(9000),
]

/** Spec: RFC 6455 section 5.2. The mask is zero. */
function webSocketFrame(first: number, length: number, body: Uint8Array, isMasked = true): Buffer {
  const mask = isMasked ? 0x80 : 0
  const head =
    length < 126
      ? [mask | length]
      : length < 65_536
        ? [mask | 126, length >> 8, length & 255]
        : [
            mask | 127,
            0,
            0,
            0,
            0,
            (length >> 24) & 255,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          ]
  return Buffer.concat([Buffer.from([first, ...head]), Buffer.alloc(isMasked ? 4 : 0), body])
}
const webSocketFrames = fc.oneof(
  frames.map(body => webSocketFrame(0x82, body.byteLength, body)),
  fc
    .record({
      first: fc.constantFrom(0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0x02, 0x00, 0xc2, 0xff, 0x8b),
      length: fc.constantFrom(0, 1, 2, 125, 126, 65_535, 65_536, 2 ** 31 - 1, 2 ** 32 - 1),
      body: garbage,
      isMasked: fc.constantFrom(true, true, true, false),
    })
    .map(({ first, length, body, isMasked }) => webSocketFrame(first, length, body, isMasked)),
  mutated([webSocketFrame(0x82, SELECT.byteLength, SELECT), webSocketFrame(0x89, 0, Buffer.alloc(0))]),
)

/** Connects, sends, ends this side, and waits until the victim has closed the socket. */
function feedSocket(addr: Multiaddr): Feed {
  const port = Number(/\/tcp\/(\d+)/.exec(addr.toString())?.[1])
  return async (input: Input) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: nextLoopback() })
    socket.on('error', () => {}) // the victim resets what it does not like
    socket.resume()
    // not by `once`, which would make an error of a reset
    const closed = new Promise(resolve => socket.once('close', resolve))
    await once(socket, 'connect')
    for (const piece of input) {
      if (!socket.destroyed && piece.byteLength > 0) socket.write(piece)
      await turn()
    }
    socket.end()
    await inTime(closed, 'the victim closes the socket')
  }
}

const tcpInputs = conversation(frames, 4)

const relay: Entry = {
  name: 'relay',
  inputs: tcpInputs,
  valid: [[SELECT, NOISE]],
  start: async stage => feedSocket((await startOpenRelay(stage)).addrs[0]!),
}

const peer: Entry = {
  name: 'peer',
  inputs: tcpInputs,
  valid: [[SELECT, NOISE]],
  start: async stage => feedSocket((await startLonePeer(stage)).addr),
}

const webSocket: Entry = {
  name: 'web-socket',
  inputs: fc.oneof(
    {
      weight: 1,
      arbitrary: fc
        .tuple(mutatedText([UPGRADE], HEAD_WORDS), garbage)
        .map(([head, rest]) => [Buffer.from(head, 'latin1'), rest]),
    },
    { weight: 2, arbitrary: conversation(webSocketFrames, 4).map(rest => [Buffer.from(UPGRADE), ...rest]) },
  ),
  valid: [[Buffer.from(UPGRADE), webSocketFrame(0x82, SELECT.byteLength, SELECT)]],
  start: async stage => feedSocket((await startOpenRelay(stage, '/ip4/127.0.0.1/tcp/0/ws')).addrs[0]!),
}

export const handshake: Surface = { name: 'handshake', entries: [relay, peer, webSocket] }
