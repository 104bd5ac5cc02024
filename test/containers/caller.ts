/** Calls the echo service through the forward, from the host that forwards: machines/caller.ts, and what it reports. */

import { spawn } from 'node:child_process'
import { run } from '../lab/net/command.ts'
import { PROJECT } from './docker.ts'
import { Reports } from './reports.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Line } from './reports.ts'

const CONTAINER = `${PROJECT}-away-host`
const PORT = '9090'

/** Of a call that is one of many. */
const CALL_BYTES = '10000'
const EVERY_MS = '250'

/** Calls once. Rejects with what went wrong. */
export async function callOnce(bytes: number): Promise<void> {
  const command = ['docker', 'exec', CONTAINER, 'node', 'caller.ts', PORT, String(bytes)]
  const { stdout } = await run(command, { timeoutMs: 30_000 })
  if ((JSON.parse(stdout) as Line).event !== 'call:succeeded') throw new Error(stdout)
}

/** Calls again and again until it is stopped. */
export class Caller {
  readonly reports: Reports
  readonly #child: ChildProcessWithoutNullStreams

  constructor() {
    const program = ['node', 'caller.ts', PORT, CALL_BYTES, EVERY_MS]
    this.#child = spawn('docker', ['exec', '--interactive', CONTAINER, ...program])
    this.reports = new Reports('the caller', this.#child)
  }

  /** Resolves with how long it took from `since` until a call got through that was made later, in milliseconds. */
  async through(since: number, timeoutMs?: number): Promise<number> {
    const { at } = await this.reports.event('call:succeeded', {
      fits: line => Number(line['startedAt']) >= since,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    return at - since
  }

  /** Ends when the calls under way have ended. Resolves with those that succeeded and those that failed. */
  async stop(): Promise<{ succeeded: Line[]; failed: Line[] }> {
    this.#child.stdin.end()
    await this.reports.event('calls:ended')
    const all = (event: string): Line[] => this.reports.lines.filter(line => line.event === event)
    return { succeeded: all('call:succeeded'), failed: all('call:failed') }
  }
}
