/** Reads a file of allow rules, one per line, for users with more rules than fit on a command line. */

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { allowRuleKind } from '../../tunnel/listener/service-kinds.ts'
import { InvalidConfigError } from '../../../src/errors.ts'
import type { ConfigProblem } from '../../../src/errors.ts'
import type { AllowRule } from '../../tunnel/listener/service-kinds.ts'

/** A rule, and where it was read. */
export interface PlacedRule extends AllowRule {
  where: string
}

/**
 * Reads the rules. Ignores comments, which start with #.
 *
 * @throws {InvalidConfigError} with every malformed line, or if the file cannot be read
 */
export async function readAllowFile(path: string): Promise<PlacedRule[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const what = `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw new InvalidConfigError([{ where: 'allow-file', what }])
  }
  const rules: PlacedRule[] = []
  const problems: ConfigProblem[] = []
  const place = { directory: dirname(path), home: homedir() }
  for (const [index, line] of text.split('\n').entries()) {
    const rule = line.replace(/#.*$/, '').trim()
    const where = `${path}:${index + 1}`
    if (rule === '') continue
    try {
      rules.push({ ...allowRuleKind.parse(rule, place), where })
    } catch (error) {
      const what = `${JSON.stringify(rule)} is not ${allowRuleKind.noun}: ${(error as Error).message}`
      problems.push({ where, what })
    }
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return rules
}
