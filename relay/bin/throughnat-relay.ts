#!/usr/bin/env node
/** The executable `throughnat-relay`. */

import { start } from '../../src/cli/start.ts'

await start(() => import('../commands/program.ts'))
