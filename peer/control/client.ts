/**
 * The client of a node's control socket.
 *
 * Invariant: it asks only a socket that nobody but this user or root can have made, and takes no answer on trust: one that
 * a node would not give is an error of its own, never a bug.
 */

import { lstat, stat } from 'node:fs/promises'
import { once } from 'node:events'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'
import { DataDirError, InvalidConfigError, UnreachableError, UsageError } from '../../src/errors.ts'
import { integrityFault } from '../../src/files/integrity.ts'
import { readAll } from '../../src/streams/read-all.ts'
import { socketPathOf } from './socket.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'

/** How long to wait for the answer, in milliseconds: as long as a person at a terminal accepts. */
const ANSWER_MS = 10_000

/** Longest answer that is read, in bytes. The status of a peer that forwards to 10,000 others takes some 5 MiB. */
const MAX_ANSWER_BYTES = 64 * 1024 ** 2

/**
 * Sends a request to the node that runs with a data directory. Resolves with its answer.
 *
 * @param route - such as `GET /status`
 * @throws {UnreachableError} if none runs, or it does not answer, or stops meanwhile, or what answers is no node
 * @throws {DataDirError} if another user can change the directory or the socket, or may alone use it, or if its disk cannot
 * be written
 * @throws {UsageError} or {InvalidConfigError} as the node does
 */
export async function askNode<T>(
  dataDir: string,
  route: string,
  body?: object,
  options: AbortOptions = {},
): Promise<T> {
  const [method, path] = route.split(' ')
  const timeout = AbortSignal.timeout(ANSWER_MS)
  const signal = anySignalOf(timeout, options.signal)
  const socketPath = socketPathOf(dataDir)
  await assertOwn(dataDir, socketPath)
  let answer: unknown
  let isDone = false
  try {
    // a node that issues tickets loads this file, too, and asks nobody
    const { request } = await import('node:http')
    const asking = request({ socketPath, method, path, signal })
    asking.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    answer = JSON.parse(await readAll(response, MAX_ANSWER_BYTES))
    isDone = response.statusCode === 200
  } catch (error) {
    options.signal?.throwIfAborted()
    throw await explained(error as NodeJS.ErrnoException, dataDir, timeout.aborted)
  }
  if (!isDone) throw failureOf(answer, dataDir)
  return answer as T
}

/** @throws {DataDirError} if another user can have made the socket, or, where there is none, can make one */
async function assertOwn(dataDir: string, socketPath: string): Promise<void> {
  for (const path of [socketPath, dataDir]) {
    try {
      const fault = await integrityFault(path)
      if (fault === undefined || (await isOfOneUser(path, dataDir))) return
      throw new DataDirError('unsafe', dataDir, fault)
    } catch (error) {
      if (error instanceof DataDirError) throw error
      // there is none, or it is closed to this user: connecting says so
    }
  }
}

/**
 * Root may ask the node of a service, whose directory and socket belong to the user of that service and are closed to all
 * others.
 */
async function isOfOneUser(path: string, dataDir: string): Promise<boolean> {
  if (process.geteuid?.() !== 0) return false
  const [it, directory] = await Promise.all([lstat(path), stat(dataDir)])
  const isOfService = it.uid !== 0 && it.uid === directory.uid
  return !it.isSymbolicLink() && isOfService && (directory.mode & 0o077) === 0
}

/**
 * The error for an answer that a node of this version does not give.
 */
export function unexpectedAnswer(dataDir: string, cause?: unknown): UnreachableError {
  return new UnreachableError(
    `What answers at ${socketPathOf(dataDir)} is no throughnat node, or another version of it. Restart the node with this version.`,
    { cause },
  )
}

function failureOf(answer: unknown, dataDir: string): Error {
  const { error } = (answer ?? {}) as { error?: Partial<NodeJS.ErrnoException & { problem: string }> }
  if (typeof error?.message !== 'string' || typeof error.name !== 'string') return unexpectedAnswer(dataDir)
  const { name, message, problem = message, code, syscall } = error
  if (name === 'DataDirError') return new DataDirError('unusable', dataDir, problem)
  if (name === 'InvalidConfigError') {
    const [where = '', ...what] = message.split(': ')
    return new InvalidConfigError([{ where, what: what.join(': ') }])
  }
  const said = `The running node reports: ${message}`
  const failure = Object.assign(new Error(said), { name, ...(code === undefined ? {} : { code, syscall }) })
  // its own bugs are in its own log
  return exitCodeOf(failure) === exitCodes.bug ? new UsageError(said) : failure
}

async function explained(error: NodeJS.ErrnoException, dataDir: string, isLate: boolean): Promise<Error> {
  const { code = '' } = error
  const options = { cause: error }
  if (isLate)
    return new UnreachableError(
      `The node that runs with ${dataDir} does not answer. Check whether it is suspended or overloaded.`,
      options,
    )
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new UnreachableError(
      `No node runs with the data directory ${dataDir}. Start one (throughnat listen, or up), or select another directory with --data-dir.`,
      options,
    )
  // a node that stops cuts unanswered requests
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return new UnreachableError(
      `No node runs with the data directory ${dataDir} any more: it stopped before it answered.`,
      options,
    )
  if (code === 'EACCES') return new DataDirError('unusable', dataDir, await describeOwner(dataDir), options)
  return unexpectedAnswer(dataDir, error)
}

/** Describes the owner by id, because Node.js can look up only the name of the current user. */
async function describeOwner(dataDir: string): Promise<string> {
  const me = process.geteuid?.() ?? 'unknown'
  const owner = await stat(dataDir).then(
    ({ uid }) => `the user with the id ${uid}`,
    () => 'another user',
  )
  return `it belongs to ${owner}, and only that user may control its node; your user id is ${me}`
}
