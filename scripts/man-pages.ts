/** The manual pages in docs/man, which `npm run docs` writes from the command tables. */

import { fileURLToPath } from 'node:url'
import { peerProgram } from '../peer/commands/program.ts'
import { relayProgram } from '../relay/commands/program.ts'
import { manPage } from './man-pages/man-page.ts'

/** Each page's path, and what it should hold. */
export const manPages: ReadonlyMap<string, string> = new Map([
  [
    pathOf('throughnat'),
    manPage({
      ...peerProgram,
      files: new Map([
        [
          '~/.local/share/throughnat',
          'the data directory: identity.key, what is known of other peers, tickets, and control.sock while a node runs',
        ],
        ['~/.config/throughnat/names', 'what peers are called, a name and a target a line'],
      ]),
      seeAlso: ['throughnat-relay(1)', 'ssh_config(5)'],
    }),
  ],
  [
    pathOf('throughnat-relay'),
    manPage({
      ...relayProgram,
      files: new Map([
        [
          '~/.local/share/throughnat-relay',
          'the data directory: identity.key, and relay.token with --profile private',
        ],
      ]),
      seeAlso: ['throughnat(1)'],
    }),
  ],
])

function pathOf(program: string): string {
  return fileURLToPath(new URL(`../docs/man/${program}.1`, import.meta.url))
}
