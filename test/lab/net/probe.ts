/**
 * Runs inside a machine of the lab and makes raw TCP connections on command, to show what a NAT does to them.
 *
 * One JSON request a line on stdin, one JSON answer a line on stdout, in any order (`id` tells). Whoever gets a
 * connection first tells the other side the endpoint that it sees there. Connections stay open until the end
 * of stdin, since a NAT's memory of them is what is looked at.
 */
import { BoundSocket, connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Socket } from 'node:net'

/** An address and a port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

export type ProbeRequest =
  | { readonly id: number; readonly listen: Endpoint }
  | {
      readonly id: number
      readonly dial: Endpoint
      readonly from: Endpoint | undefined
      readonly timeoutMs: number
    }

export interface ProbeAnswer {
  readonly id: number
  /** `connected`, `listening`, `timeout`, or the code of the system's error. */
  readonly outcome: string
  readonly localPort?: number
  /** How the other side sees this one. */
  readonly seenAs?: Endpoint
}

const open = new Set<Socket>()

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) answer(JSON.parse(line) as ProbeRequest)
  process.exit()
}

function answer(request: ProbeRequest): void {
  const tell = (rest: Omit<ProbeAnswer, 'id'>) => {
    process.stdout.write(`${JSON.stringify({ id: request.id, ...rest })}\n`)
  }
  try {
    if ('listen' in request) listen(request.listen, tell)
    else dial(request, tell)
  } catch (error) {
    tell({ outcome: codeOf(error as Error) })
  }
}

type Tell = (answer: Omit<ProbeAnswer, 'id'>) => void

function listen({ address, port }: Endpoint, tell: Tell): void {
  const server = createServer(introduce)
  server.once('error', error => tell({ outcome: codeOf(error) }))
  server.listen(new BoundSocket({ host: address, port, reusePort: true }), () => {
    const bound = server.address()
    if (bound !== null && typeof bound !== 'string') tell({ outcome: 'listening', localPort: bound.port })
  })
}

function dial(request: Extract<ProbeRequest, { dial: Endpoint }>, tell: Tell): void {
  const { dial: to, from, timeoutMs } = request
  const target = { host: to.address, port: to.port }
  const handle = from && new BoundSocket({ host: from.address, port: from.port, reusePort: true })
  const socket = connect(handle === undefined ? target : { ...target, handle })
  const timer = setTimeout(() => {
    tell({ outcome: 'timeout' })
    socket.destroy()
  }, timeoutMs)
  socket.once('connect', () => introduce(socket))
  socket.once('error', error => tell({ outcome: codeOf(error) }))
  socket.once('close', () => clearTimeout(timer))
  socket.once('data', chunk => {
    clearTimeout(timer)
    const { localPort } = socket
    const seenAs = JSON.parse(chunk.toString()) as Endpoint
    tell({ outcome: 'connected', seenAs, ...(localPort === undefined ? {} : { localPort }) })
  })
}

/** Tells the other side how it is seen. */
function introduce(socket: Socket): void {
  open.add(socket)
  socket.on('error', () => {}) // the connection was there; how it ends does not matter
  const { remoteAddress: address, remotePort: port } = socket
  socket.write(JSON.stringify({ address, port }))
  socket.resume()
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message
}
