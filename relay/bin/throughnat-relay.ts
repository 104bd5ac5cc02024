#!/usr/bin/env node
/** The program `throughnat-relay`. */

import { start } from '../../src/cli/start.ts'

await start(() => import('../commands/program.ts'))
