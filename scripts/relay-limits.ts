/** The tables of a relay's limits in the documents, which `npm run docs` writes from relay/limits. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { limitOptions } from '../relay/limits/options.ts'
import { DEFAULT_PROFILE, profiles } from '../relay/limits/limits.ts'
import { printValue } from '../src/config/kinds/kind.ts'
import { nameOptions } from '../src/config/options.ts'
import type { Limits, ProfileName } from '../relay/limits/limits.ts'

const { profile: _, ...options } = limitOptions
const limits = nameOptions(options).map(({ key, name, kind, spec }) => ({
  name,
  doc: spec.doc,
  of: (profile: ProfileName) => printValue(kind, profiles[profile][key as keyof Limits]),
}))

/** The path of each document that has the limits, and the text that it should have. */
export const limitDocuments: ReadonlyMap<string, string> = new Map([
  rewritten('docs/operating-a-relay.md', /(?:^\| `[a-z0-9-]+` \|(?: \S+ \|){3} .*\n)+/m, limitTable()),
  rewritten('deploy/relay.example.yaml', /^# max-connections: [^]*?\n(?=\n)/m, exampleLimits()),
])

function limitTable(): string {
  return limits
    .map(
      ({ name, doc, of }) =>
        `| \`${name}\` | ${of('open')} | ${of('private')} | ${of('public')} | ${doc} |\n`,
    )
    .join('')
}

function exampleLimits(): string {
  return limits.map(({ name, of }) => `# ${name}: ${of(DEFAULT_PROFILE)}\n`).join('')
}

function rewritten(path: string, part: RegExp, content: string): [string, string] {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url))
  const text = readFileSync(file, 'utf8')
  if (!part.test(text)) throw new Error(`${path} has no limits to replace`)
  return [file, text.replace(part, () => content)]
}
