/**
 * The two ends of a connection that a tunnel carries, each a program on a host of the lab:
 *
 *     tunnel-end.ts serve HOST PORT                  a server that counts, or echoes; prints `listening`
 *     tunnel-end.ts send HOST PORT MIB               sends, and prints the seconds until the server has it all
 *     tunnel-end.ts echo HOST PORT COUNT             prints the median round trip of 64 bytes, in milliseconds
 *     tunnel-end.ts get HOST PORT COUNT              prints the seconds of so many HTTP requests for 1 KiB, each on a connection of
 *                                                    its own, 50 side by side
 *
 * The first byte of a connection says which: S, E, or the G of GET. A server that counts answers with a byte once the other side has ended.
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { median } from './stats.ts'
import type { Socket } from 'node:net'

const MIB = 1024 * 1024
const MESSAGE_BYTES = 64
/** Requests side by side: those of a browser with a few pages. */
const SIDE_BY_SIDE = 50

const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nConnection: close\r\n\r\n${'x'.repeat(1024)}`,
)

/** Round trips before those that count. */
const WARM_UP = 20

const [mode, host, port, amount] = process.argv.slice(2)

if (mode === 'serve') serve()
else if (mode === 'send') console.log(await send(Number(amount)))
else if (mode === 'echo') console.log(await echo(Number(amount)))
else console.log(await get(Number(amount)))

function serve(): void {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    socket.on('error', () => socket.destroy())
    socket.once('data', first => {
      if (first[0] === 'E'.charCodeAt(0)) {
        // what came with the first byte belongs to the first message
        if (first.length > 1) socket.write(first.subarray(1))
        socket.pipe(socket)
      } else if (first[0] === 'G'.charCodeAt(0)) {
        answer(socket, String(first))
      } else {
        socket.resume()
        socket.on('end', () => socket.end('.'))
      }
    })
  })
  server.listen({ host, port: Number(port) }, () => console.log('listening'))
}

/** Answers when the head of the request is complete. */
function answer(socket: Socket, start: string): void {
  let head = start
  const answerOnce = (): void => {
    if (head.endsWith('\r\n\r\n')) socket.end(ANSWER)
  }
  socket.on('data', data => {
    head += String(data)
    answerOnce()
  })
  answerOnce()
}

async function open(kind: 'S' | 'E'): Promise<Socket> {
  const socket = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  socket.write(kind)
  return socket
}

async function send(mebibytes: number): Promise<number> {
  const socket = await open('S')
  const chunk = Buffer.alloc(MIB, 'x')
  const startedAt = performance.now()
  const answered = once(socket, 'data')
  for (let sent = 0; sent < mebibytes; sent++) if (!socket.write(chunk)) await once(socket, 'drain')
  socket.end()
  await answered
  return (performance.now() - startedAt) / 1000
}

async function echo(count: number): Promise<number> {
  const socket = await open('E')
  const times: number[] = []
  for (let round = 0; round < count + WARM_UP; round++) {
    const sentAt = performance.now()
    socket.write(Buffer.alloc(MESSAGE_BYTES))
    for (let bytes = 0; bytes < MESSAGE_BYTES; ) bytes += ((await once(socket, 'data')) as [Buffer])[0].length
    if (round >= WARM_UP) times.push(performance.now() - sentAt)
  }
  socket.destroy()
  return median(times)
}

async function get(count: number): Promise<number> {
  const startedAt = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next++ < count) await getOnce()
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker))
  return (performance.now() - startedAt) / 1000
}

/** @throws {Error} if the answer is not whole */
async function getOnce(): Promise<void> {
  const socket = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true })
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  let bytes = 0
  socket.on('data', data => (bytes += data.length))
  await once(socket, 'end')
  socket.end()
  if (bytes !== ANSWER.length) throw new Error(`The answer has ${bytes} of ${ANSWER.length} bytes`)
}
