/** The documents and the help keep to plain English: none of the phrases that readers stumbled over. */

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { peerProgram } from '../../peer/commands/program.ts'
import { relayProgram } from '../../relay/commands/program.ts'
import { parseCommandLine } from '../../src/cli/command-line.ts'
import type { ProgramDescription } from '../../src/cli/command-line.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const PHRASES =
  /\bwhoever\b|said aloud|nobody notices|\bfor good\b|\bin vain\b|\bis told\b|\bare told\b|stays unknown/i

/** Generated from docstrings, or a record of the past. */
const EXCEPTIONS = new Set(['docs/api.md', 'CHANGELOG.md'])

function phrasesIn(text: string): string[] {
  return text.split('\n').filter(line => PHRASES.test(line))
}

describe('plain English', () => {
  for (const path of globSync(['*.md', 'docs/*.md'], { cwd: ROOT }).filter(it => !EXCEPTIONS.has(it)))
    it(`is what ${path} is in`, () => {
      assert.deepEqual(phrasesIn(readFileSync(join(ROOT, path), 'utf8')), [])
    })

  for (const program of [peerProgram, relayProgram])
    it(`is what the help of ${program.name} is in`, () => {
      for (const text of helpOf(program)) assert.deepEqual(phrasesIn(text), [])
    })
})

function helpOf(program: ProgramDescription): string[] {
  const commands = 'run' in program.commands ? [[]] : program.commands.map(({ name }) => [name])
  return [[], ...commands].map(argv => {
    const parsed = parseCommandLine(program, [...argv, '--help'], 100)
    assert.equal(parsed.kind, 'show')
    return parsed.text
  })
}
