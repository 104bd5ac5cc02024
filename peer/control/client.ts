/** The client of a node's control socket. */

import { stat } from 'node:fs/promises'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { once } from 'node:events'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'
import { DataDirError, InvalidConfigError, UnreachableError, UsageError } from '../../src/errors.ts'
import { socketPathOf } from './socket.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'

/** How long to wait for the answer, in milliseconds: as long as a person at a terminal accepts. */
const ANSWER_MS = 10_000

/**
 * Sends a request to the node that runs with a data directory. Resolves with its answer.
 *
 * @param route - such as `GET /status`
 * @throws {UnreachableError} if none runs, or it does not answer, or stops meanwhile
 * @throws {DataDirError} if it belongs to another user, or its disk cannot be written
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
  let answer: unknown
  let isDone = false
  try {
    const asking = request({ socketPath, method, path, signal })
    asking.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    answer = await json(response)
    isDone = response.statusCode === 200
  } catch (error) {
    options.signal?.throwIfAborted()
    throw await explained(error as NodeJS.ErrnoException, dataDir, timeout.aborted)
  }
  if (!isDone) throw failureOf(answer, dataDir)
  return answer as T
}

function failureOf(answer: unknown, dataDir: string): Error {
  const {
    name = '',
    message = '',
    problem = message,
    code,
    syscall,
  } = (answer as { error?: Partial<NodeJS.ErrnoException & { problem: string }> }).error ?? {}
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
  return error
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
