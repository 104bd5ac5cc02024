/** A program that writes as many events as it is asked for, and shows on descriptor 3 that it is not blocked. */

import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { defineCommand } from '../../../../../src/cli/command.ts'
import { runProgram } from '../../../../../src/cli/program.ts'

const talk = defineCommand({
  name: 'talk',
  summary: 'Talk',
  options: {
    events: { kind: 'integer', default: 0, doc: 'How many events' },
    notes: { kind: 'integer', default: 0, doc: 'How many notes' },
    stay: { kind: 'boolean', doc: 'Stay until stopped, with an event for each line of standard input' },
  },
  reloads: true,
  examples: ['talk --events 1'],
  run: async ({ events, notes, stay }, { output, signal, stdin }) => {
    const beat = setInterval(() => writeSync(3, '.'), 20)
    try {
      for (let n = 0; n < Math.max(events, notes); n += 1) {
        if (n < events) output.event('talk', { n, text: 'x'.repeat(200) }, `talk ${n} ${'x'.repeat(200)}`)
        if (n < notes) output.note(`note ${n} ${'x'.repeat(200)}`)
        if (n % 100 === 99) await turn()
      }
      writeSync(3, 'done')
      if (stay !== true) return
      const ask = (): void => output.event('asked', {}, 'asked')
      stdin.on('data', ask).on('error', ask).on('end', ask)
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      clearInterval(beat)
      stdin.destroy()
    }
  },
})

process.exitCode = await runProgram({
  name: 'talker',
  version: '1.0.0',
  description: 'Talks',
  commands: [talk],
})
