#!/usr/bin/env node
/** The program `throughnat-relay`. */

import { runProgram } from '../../src/cli/program.ts'
import { version } from '../../src/version.ts'
import { relayCommand } from '../command.ts'

process.exitCode = await runProgram({
  name: 'throughnat-relay',
  version,
  description: relayCommand.summary,
  commands: relayCommand,
})
