#!/usr/bin/env node
/** The program `throughnat`. A ticket on its command line is overwritten before all other modules are loaded. */

import { hideTicketArguments } from '../tickets/prefix.ts'

hideTicketArguments()
const { start } = await import('../../src/cli/start.ts')
await start(() => import('../commands/program.ts'))
