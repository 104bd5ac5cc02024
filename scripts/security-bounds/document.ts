/** The table of bounds in docs/security-model.md, which `npm run docs` writes. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bounds } from './bounds.ts'

/** The document that has the table. */
export const SECURITY_DOCUMENT: string = fileURLToPath(
  new URL('../../docs/security-model.md', import.meta.url),
)

/** From the heading of the table to the next one. */
const CHAPTER = /^## Bounds\n[^]*?(?=^## )/m

/** The whole document, with the table as it should be. */
export function securityDocument(): string {
  const text = readFileSync(SECURITY_DOCUMENT, 'utf8')
  if (!CHAPTER.test(text)) throw new Error('docs/security-model.md has no chapter of bounds to replace')
  return text.replace(CHAPTER, () => chapter())
}

function chapter(): string {
  const tables = Object.entries(bounds).map(([who, rows]) => {
    const lines = rows.map(
      ({ what, limit, paths }) => `| ${what} | ${limit} | ${paths.map(it => `\`${it}\``).join(', ')} |\n`,
    )
    return `### ${who}\n\n| what | limit | source |\n| --- | --- | --- |\n${lines.join('')}\n`
  })
  return `## Bounds

Written by \`npm run docs\` from the constants of the source; a test compares them. The limits of a relay for connections, reservations, circuits
and bytes are in [operating-a-relay.md](operating-a-relay.md#limits), those of the tunnel protocol in
[tunnel-protocol.md](tunnel-protocol.md#limits).

${tables.join('')}`
}
