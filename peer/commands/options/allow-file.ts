/** A file with allow rules, one a line, for those who let in more peers than fit on a command line. */

import { dirname } from 'node:path'
import { allowRuleKind } from '../../tunnel/listener/service-kinds.ts'
import { linesIn, readTextFile } from '../../../src/files/text-file.ts'
import { placeAt } from '../../../src/config/paths.ts'
import { InvalidConfigError } from '../../../src/errors.ts'
import type { ConfigProblem } from '../../../src/errors.ts'
import type { AllowRule } from '../../tunnel/listener/service-kinds.ts'

/** A rule, and the line that it stands in. */
export interface PlacedRule extends AllowRule {
  where: string
}

/**
 * Reads the rules. What follows # is passed over.
 *
 * @throws {InvalidConfigError} with every line that is no rule, or if the file cannot be read
 */
export async function readAllowFile(path: string): Promise<PlacedRule[]> {
  let text: string
  try {
    text = await readTextFile(path)
  } catch (error) {
    const what = `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw new InvalidConfigError([{ where: 'allow-file', what }])
  }
  const rules: PlacedRule[] = []
  const problems: ConfigProblem[] = []
  const place = placeAt(dirname(path))
  for (const [index, line] of linesIn(text).entries()) {
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
