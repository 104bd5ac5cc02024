/** Reads positional arguments by the argument table of a command, like options but by position. */

import type { FoundProblem, Given } from '../../config/given.ts'
import type { OptionTable, Resolved } from '../../config/options.ts'
import { nameOptions } from '../../config/options.ts'
import { exampleOf } from '../../config/sources.ts'
import { ValueReader } from '../../config/value-reader.ts'
import type { Command } from '../command.ts'
import { placeArguments } from '../command.ts'
import type { ParsedCommandLine } from './command-line.ts'

/** Parameters of {@link readOperands}. */
export interface OperandReading {
  /** The folder that relative paths start from. */
  readonly directory: string | undefined
  /** True if a missing argument is a problem. */
  readonly isComplete: boolean
}

/** Parses the positional arguments. All their problems are usage errors. */
export function readOperands(
  command: Command,
  { operands, problems: known }: Extract<ParsedCommandLine, { kind: 'run' }>,
  { directory, isComplete }: OperandReading,
): { values: Resolved<OptionTable>; problems: FoundProblem[] } {
  const problems: FoundProblem[] = []
  const reader = new ValueReader(directory, problems)
  const places = placeArguments(command)
  const values: Record<string, unknown> = {}
  for (const [index, option] of nameOptions(command.arguments ?? {}).entries()) {
    const { placeholder: where = option.key, isMany = false, isRequired = false } = places[index] ?? {}
    const typed = isMany ? operands.slice(index) : operands.slice(index, index + 1)
    const texts = typed.length > 0 ? typed : [option.spec.default ?? []].flat().map(String)
    const items = texts.map(text => ({ where, text }))
    const given: Given = { option, source: 'flag', where, isList: isMany, items }
    const read = reader.read(given)
    values[option.key] = isMany ? Object.freeze(read) : read[0]
    // beside an unknown flag or an excess argument, a missing one would only be a guess
    if (isRequired && texts.length === 0 && isComplete && known.length === 0) {
      problems.push({ where, what: `missing, for example ${exampleOf(option)}`, isUsage: true })
    }
  }
  return { values: Object.freeze(values) as Resolved<OptionTable>, problems }
}
