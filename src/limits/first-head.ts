/**
 * Gives an HTTP server the head of one request of each socket, and nothing that comes with it.
 *
 * Node.js 24 makes a request and a response of all that came in one read, also when it has ended the connection with the
 * answer to the first (`_http_server.js`, `parserOnIncoming`). 64 KiB of small requests take 60 ms in one turn of the
 * event loop, for one socket. Chunks of a body, which nobody reads, take half of that.
 */

import { Server as HttpsServer } from 'node:https'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')

/** The answer to a client whose head has not come in time (RFC 9110), or is too long (RFC 6585). */
const REFUSALS = { late: '408 Request Timeout', long: '431 Request Header Fields Too Large' } as const

/** The bounds of a head. */
export interface HeadBounds {
  /** Longest head, in bytes. */
  readonly maxBytes: number
  /** Time for the whole head, in milliseconds. */
  readonly timeoutMs: number
}

/**
 * Patches a server that has no connection yet. The server then answers one request for each socket: the client of a
 * request for an upgrade sends nothing after the head until it is answered (RFC 6455, section 4.1).
 */
export function passFirstHead(server: Server | HttpsServer, bounds: HeadBounds): void {
  const event = server instanceof HttpsServer ? 'secureConnection' : 'connection'
  const accept = server.listeners(event)
  const waiting = new Set<Socket>()
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) => {
    waiting.add(socket)
    socket.once('close', () => waiting.delete(socket))
    readHead(socket, bounds, head => {
      waiting.delete(socket)
      for (const listener of accept) listener.call(server, socket)
      serveHead(server, socket, head)
    })
  })
  server.prependListener('request', (_, response) => void response.setHeader('connection', 'close'))
  const closeAllConnections = server.closeAllConnections.bind(server)
  server.closeAllConnections = () => {
    for (const socket of waiting) socket.destroy()
    closeAllConnections()
  }
}

/** Has the server read a head, and read on only if that becomes another protocol. */
function serveHead(server: Server | HttpsServer, socket: Socket, head: Buffer): void {
  let isUpgraded = false
  const onUpgrade = (): void => {
    isUpgraded = true
    delete (socket as Partial<Socket>).resume
  }
  // the server resumes the socket at the end of each request
  socket.resume = () => socket
  // a server without such a listener answers as if no upgrade was asked for
  const hasUpgrades = server.listenerCount('upgrade') > 0
  if (hasUpgrades) server.prependListener('upgrade', onUpgrade)
  socket.emit('data', head)
  if (hasUpgrades) server.off('upgrade', onUpgrade)
  if (isUpgraded) return
  socket.pause()
  // the server's parser reads from the handle of the socket, and `pause` says nothing if the socket does not flow
  socket.emit('pause')
}

/** Reads until the head has ended, and calls `pass` with it. */
function readHead(socket: Socket, { maxBytes, timeoutMs }: HeadBounds, pass: (head: Buffer) => void): void {
  let read = Buffer.alloc(0)
  const onReadable = (): void => {
    const searched = Math.max(0, read.byteLength - HEAD_END.byteLength)
    const more = socket.read() as Buffer | null
    if (more === null) return
    read = Buffer.concat([read, more])
    const at = read.indexOf(HEAD_END, searched)
    if ((at === -1 ? read.byteLength : at) > maxBytes) return refuse('long')
    if (at === -1) return
    leave()
    pass(read.subarray(0, at + HEAD_END.byteLength))
  }
  const onEnd = (): void => void socket.destroy()
  const refuse = (why: keyof typeof REFUSALS): void => {
    leave()
    socket.on('error', onEnd).end(`HTTP/1.1 ${REFUSALS[why]}\r\nConnection: close\r\n\r\n`, onEnd)
  }
  const timer = setTimeout(() => refuse('late'), timeoutMs)
  const leave = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onEnd).off('error', onEnd).off('close', leave)
  }
  socket.on('readable', onReadable).on('end', onEnd).on('error', onEnd).on('close', leave)
}
