/**
 * How a connection notices that the other side has gone without a word, and keeps the mappings of the NATs in between.
 *
 * While a connection is idle the kernels of both sides do it, and wake neither program. A connection on which something was written and not yet acknowledged is not
 * idle: the kernel repeats that for a quarter of an hour before it gives up, and Node does not offer TCP_USER_TIMEOUT. So it is asked how often it has repeated.
 */

import { bytesQueuedIn, bytesWrittenTo } from './socket-layers.ts'
import { unacknowledged } from './unacknowledged.ts'
import { shapeCheck } from '../patches/expect-shape.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'

/**
 * After so much silence the kernel asks whether the other side is there, in milliseconds, and so on until it has not answered this many times. A mapping that a NAT has
 * forgotten, and a cable that was pulled, are noticed within 7 s; test/lab/resilience.test.ts measures what it costs. Where 5 % of all packets are lost, four unanswered
 * questions in a row are one in 10,000.
 */
const KEEP_ALIVE = { enable: true, initialDelay: 3_000, interval: 1_000, count: 4 } as const

/** How often connections are looked at on which something was written, in milliseconds. The kernel's table grows with their number, and so does the pause. */
const LOOK_MS = { least: 2_000, perConnection: 1 } as const

/**
 * Repetitions without any answer after which the other side is gone: the first comes after a round trip or 200 ms, each takes twice as long as the one before. Less is enough
 * where nothing was ever heard: a NAT that has mistaken an old connection between these ports for the new one drops all that is sent over it, and there is nothing to lose.
 */
const REPETITIONS = { first: 2, later: 4 } as const

const UNACKNOWLEDGED = 'UnacknowledgedError'

/** True for what a connection was aborted with because what was written to it was not acknowledged. */
export function isUnacknowledged(error: Error): boolean {
  return error.name === UNACKNOWLEDGED
}

function unacknowledgedError(): Error {
  const error = new Error('the other side does not answer')
  return Object.assign(error, { name: UNACKNOWLEDGED, code: 'ETIMEDOUT' })
}

interface Watched {
  connection: MultiaddrConnection
  /** Bytes at the last look. */
  heard: number
  /** Bytes of which the kernel has said that they arrived. */
  acknowledged: number
}

const watched = new Map<Socket, Watched>()
let timer: NodeJS.Timeout | undefined

const assertShape = shapeCheck('@libp2p/tcp', { socket: 'object', 'socket.setKeepAlive': 'function' })

/** Has a connection of `@libp2p/tcp` kept alive and watched over. Returns it. @throws {UpstreamChangedError} */
export function keepAlive<Connection extends MultiaddrConnection>(connection: Connection): Connection {
  assertShape(connection)
  const { socket } = connection as unknown as {
    socket: { setKeepAlive(options: typeof KEEP_ALIVE): void }
  }
  socket.setKeepAlive(KEEP_ALIVE)
  return watchOver(connection)
}

/** Has a connection aborted when what was written to it is not acknowledged, and leaves its idle times to others. */
export function watchOver<Connection extends MultiaddrConnection>(connection: Connection): Connection {
  assertShape(connection)
  const { socket } = connection as unknown as { socket: Socket }
  watched.set(socket, { connection, heard: 0, acknowledged: 0 })
  timer ??= lookLater()
  socket.once('close', () => forget(socket))
  return connection
}

function lookLater(): NodeJS.Timeout {
  const ms = Math.max(LOOK_MS.least, watched.size * LOOK_MS.perConnection)
  return setTimeout(() => {
    look()
    timer = watched.size > 0 ? lookLater() : undefined
  }, ms).unref()
}

function forget(socket: Socket): void {
  watched.delete(socket)
  if (watched.size > 0) return
  clearTimeout(timer)
  timer = undefined
}

/** The kernel's table holds every connection of the machine: it is read once for all, and only if somebody waits. */
function look(): void {
  const waiting = [...watched].filter(([socket, seen]) => isWaiting(socket, seen))
  if (waiting.length === 0) return
  const repetitionsOf = unacknowledged(waiting.map(([socket]) => socket))
  for (const [socket, seen] of waiting) {
    const repetitions = repetitionsOf.get(socket)
    if (repetitions === undefined) seen.acknowledged = bytesWrittenTo(socket) - bytesQueuedIn(socket)
    // a reset: what was not acknowledged would hold the port of a punch for minutes
    else if (repetitions >= (seen.heard === 0 ? REPETITIONS.first : REPETITIONS.later))
      seen.connection.abort(unacknowledgedError())
  }
}

/** True if something was written, and nothing heard since the last look. */
function isWaiting(socket: Socket, seen: Watched): boolean {
  const isSilent = socket.bytesRead === seen.heard
  seen.heard = socket.bytesRead
  return isSilent && bytesWrittenTo(socket) > seen.acknowledged
}
