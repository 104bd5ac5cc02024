/** What `throughnat status` does. */

import { setTimeout as pause } from 'node:timers/promises'
import { raceSignal } from 'race-signal'
import { askNode, unexpectedAnswer } from '../../control/client.ts'
import { describeStatus } from '../../status/report.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { Emphasis } from '../../status/report.ts'
import type { StatusSnapshot } from '../../status/node-status.ts'
import type { RunStatus } from '../status.ts'

/** Moves the cursor to the upper left corner and clears the screen below (ECMA-48: CUP, ED). */
const FROM_THE_TOP = '\u001b[H\u001b[J'

const styles = { heading: 'bold', good: 'green', bad: 'yellow' } as const

/** Asks the running node, once or until stopped. */
export const runStatus: RunStatus = async ({ dataDir, watch, intervalMs }, { output, signal }) => {
  do {
    const status = await askNode<StatusSnapshot | null>(dataDir, 'GET /status', undefined, { signal })
    if (typeof status?.peerId !== 'string') throw unexpectedAnswer(dataDir)
    try {
      show(status, watch, output)
    } catch (error) {
      throw unexpectedAnswer(dataDir, error)
    }
    if (!watch) return
    // where nobody reads, the next look waits
    await raceSignal(output.flush(), signal)
    await pause(intervalMs, undefined, { signal })
  } while (watch)
}

function show(status: StatusSnapshot, watch: boolean, output: Output): void {
  if (output.json) {
    output.event('status', { ...status })
    return
  }
  const emphasize: Emphasis = (kind, text) => output.style(styles[kind], text)
  const lines = describeStatus(status, Date.now(), emphasize)
  output.text(
    `${watch && output.isTerminal ? FROM_THE_TOP : ''}${lines.join('\n')}\n${watch && !output.isTerminal ? '\n' : ''}`,
  )
}
