/** docs/api.md: the reference of everything that package.json exports. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { apiReference } from './reference.ts'
import type { EntryPoint } from './reference.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Where the document is kept. */
export const API_DOCUMENT: string = `${ROOT}docs/api.md`

const PREAMBLE = `# API reference

Made from the docstrings by \`npm run docs\`; [embedding.md](embedding.md) is where to begin. Names that are not explained
here are libp2p's (\`PeerId\`, \`Stream\`, \`AbortOptions\` and others, from \`@libp2p/interface\`) and
\`@multiformats/multiaddr\`'s.
`

interface Manifest {
  name: string
  exports: Record<string, { default: string }>
}

/** The whole document, as it should be. */
export function apiDocument(): string {
  return `${PREAMBLE}\n${apiReference(ROOT, entryPoints())}`
}

function entryPoints(): EntryPoint[] {
  const { name, exports } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as Manifest
  return Object.entries(exports).map(([key, { default: built }]) => ({
    name: key === '.' ? name : `${name}/${key.slice('./'.length)}`,
    path: built.replace('./dist/', '').replace(/\.js$/, '.ts'),
  }))
}
