/** Resolves a table, and throws its problems as a command does. */

import type { OptionTable } from '../../../../src/config/options.ts'
import type { Resolution, Sources } from '../../../../src/config/resolve.ts'
import { examineOptions, throwProblems } from '../../../../src/config/resolve.ts'

export function resolveOptions<const T extends OptionTable>(table: T, sources: Sources): Resolution<T> {
  const { resolution, problems } = examineOptions(table, sources)
  throwProblems(problems)
  return resolution
}
