/**
 * Makes and answers TCP connections on a host of the lab, for a forwarded service: an echo server, and its clients.
 * No libp2p here, so that a fault of the product cannot spoil the measure.
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { serve } from './requests.ts'
import type { Socket } from 'node:net'
import type { Actions } from './requests.ts'

/** A new client begins this long after the one before, in milliseconds, until one has its answer. */
const CLIENT_EVERY_MS = 1_000

/** A transfer sends its data in pieces of this many bytes. */
const PIECE_BYTES = 65_536

interface ReachRequest {
  port: number
  bytes: number
  timeoutMs: number
}

interface TransferRequest extends ReachRequest {
  /** The pause after each piece, in milliseconds. It makes the transfer last. */
  pauseMs: number
}

const actions: Actions = {
  serve: async ({ port }: { port: number }) => {
    const server = createServer({ allowHalfOpen: true }, socket => {
      // a client that leaves early is a failure of the client alone
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return {}
  },

  /** Opens new connections until one of them has carried data both ways. Resolves with the time that took. */
  reach: async ({ port, bytes, timeoutMs }: ReachRequest) => {
    const startedAt = performance.now()
    const done = new AbortController()
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(timeoutMs)])
    const clients = Array.from({ length: Math.ceil(timeoutMs / CLIENT_EVERY_MS) }, async (_, n) => {
      await pause(n * CLIENT_EVERY_MS, undefined, { signal })
      await exchange({ port, bytes, pauseMs: 0 }, signal)
      return n + 1
    })
    try {
      const clientNumber = await Promise.any(clients)
      return { elapsedMs: performance.now() - startedAt, clientNumber }
    } catch (error) {
      const reasons = (error as AggregateError).errors.map(it => String(it))
      throw new Error(
        `No connection carried data within ${timeoutMs} ms: ${[...new Set(reasons)].join('; ')}`,
      )
    } finally {
      done.abort()
      await Promise.allSettled(clients)
    }
  },

  /** Sends data slowly over one connection, and resolves when all of it has come back unchanged. */
  transfer: async ({ timeoutMs, ...request }: TransferRequest) => {
    const startedAt = performance.now()
    await exchange(request, AbortSignal.timeout(timeoutMs))
    return { elapsedMs: performance.now() - startedAt }
  },
}

/** @throws when the data does not come back, or with another checksum */
async function exchange(
  { port, bytes, pauseMs }: Omit<TransferRequest, 'timeoutMs'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  const onAbort = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', onAbort)
  try {
    const [sent, received] = await Promise.all([send(socket, bytes, pauseMs, signal), receive(socket)])
    assert.deepEqual(received, sent)
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

interface Sum {
  bytes: number
  sha256: string
}

async function send(socket: Socket, bytes: number, pauseMs: number, signal: AbortSignal): Promise<Sum> {
  const hash = createHash('sha256')
  for (let rest = bytes; rest > 0; rest -= PIECE_BYTES) {
    const piece = randomBytes(Math.min(rest, PIECE_BYTES))
    hash.update(piece)
    if (!socket.write(piece)) await once(socket, 'drain', { signal })
    if (pauseMs > 0) await pause(pauseMs, undefined, { signal })
  }
  socket.end()
  return { bytes, sha256: hash.digest('hex') }
}

async function receive(socket: Socket): Promise<Sum> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

await serve(actions)
process.exit()
