/**
 * The far end of a `Remote`: answers requests that come over stdin.
 *
 * One line of JSON a request, `{id, do, ...}`; one a reply, `{id, ...result}` or `{id, error: {name, message, reason}}`;
 * and one an event, `{event, at, ...}`. Ends when stdin does.
 */

import { createInterface } from 'node:readline'
import { isPeerId } from '@libp2p/interface'

interface Request {
  id: number
  do: string
  [argument: string]: unknown
}

/** What can be asked for. Each takes what the request holds, `timeoutMs` among it. */
export type Actions = Record<string, (request: never) => Promise<object>>

/** Answers requests until stdin ends. */
export async function serve(actions: Actions): Promise<void> {
  for await (const line of createInterface(process.stdin)) void answer(actions, JSON.parse(line) as Request)
}

/** Writes a line: a reply, or an event. */
export function write(message: object): void {
  const text = JSON.stringify(message, (_key, value: unknown) => (isPeerId(value) ? value.toString() : value))
  process.stdout.write(`${text}\n`)
}

async function answer(actions: Actions, request: Request): Promise<void> {
  const { id } = request
  try {
    const action = actions[request.do]
    if (action === undefined) throw new Error(`cannot do ${request.do}`)
    write({ id, ...(await action(request as never)) })
  } catch (error) {
    const { name, message, reason, stack } = error as Error & { reason?: string }
    process.stderr.write(`${stack}\n`)
    write({ id, error: { name, message, reason } })
  }
}
