/** Reads a file of allow rules, one per line, for users with more rules than fit on a command line. */

import { dirname } from 'node:path'
import { readLineFile } from '../../../src/files/line-file.ts'
import { allowRuleKind } from '../../tunnel/listener/service-kinds.ts'
import { placeAt } from '../../../src/config/paths.ts'
import type { AllowRule } from '../../tunnel/listener/service-kinds.ts'

/** A rule, and where it was read. */
export interface PlacedRule extends AllowRule {
  where: string
}

/**
 * Reads the rules.
 *
 * @throws {InvalidConfigError} with every malformed line, or if the file cannot be read
 */
export async function readAllowFile(path: string): Promise<PlacedRule[]> {
  const place = placeAt(dirname(path))
  return readLineFile(path, 'allow-file', (rule, where) => {
    try {
      return { ...allowRuleKind.parse(rule, place), where }
    } catch (error) {
      throw new Error(`${JSON.stringify(rule)} is not ${allowRuleKind.noun}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  })
}
