/**
 * Matches what the file and the command line give to the options of a table.
 *
 * An unknown name is always a problem, unless it belongs to another command of the program: one file serves them all.
 * The environment has rules of its own, see environment.ts.
 */

import type { ConfigFile } from './file.ts'
import type { Findings, FoundProblem, Given, GivenFlag } from './given.ts'
import { nearestHint } from './nearest.ts'
import type { NamedOption } from './options.ts'

/**
 * Matches the keys of a configuration file to options.
 *
 * @param otherNames - names that options of other commands have; they are passed over
 */
export function readFileSource(
  file: ConfigFile,
  options: readonly NamedOption[],
  otherNames: readonly string[],
): Findings {
  const known = options.filter(({ spec }) => spec.flagOnly !== true)
  const byName = new Map(known.map(option => [option.name, option]))
  const problems: FoundProblem[] = file.problems.map(problem => ({ ...problem, isUsage: false }))
  const given: Given[] = []
  for (const { name, where, isList, items } of file.entries) {
    const option = byName.get(name)
    if (option !== undefined) {
      const placed = items.map(item => ({ ...item, directory: file.directory }))
      given.push({ option, source: 'file', where, isList, items: placed })
    } else if (!otherNames.includes(name)) {
      const hint = nearestHint(name, [...byName.keys(), ...otherNames])
      problems.push({ where, what: `unknown option ${JSON.stringify(name)}${hint}`, isUsage: false })
    }
  }
  return { given, problems }
}

/** Gathers flags by option: those of a list add up, of others the last one counts. */
export function readFlagSource(flags: readonly GivenFlag[], options: readonly NamedOption[]): Findings {
  const problems: FoundProblem[] = []
  const given: Given[] = []
  for (const option of options) {
    const all = flags.filter(({ key }) => key === option.key)
    const items: { where: string; text: string }[] = []
    for (const { flag, text } of all) {
      if (text !== undefined) items.push({ where: flag, text })
      else
        problems.push({ where: flag, what: `needs a value, for example ${exampleOf(option)}`, isUsage: true })
    }
    const isList = option.spec.many === true
    const counted = isList ? items : items.slice(-1)
    const where = counted[0]?.where ?? option.flag
    if (counted.length > 0) given.push({ option, source: 'flag', where, isList, items: counted })
  }
  return { given, problems }
}

/** A good value for an option, as a person would type it. */
export function exampleOf({ spec, kind }: NamedOption): string {
  return spec.example ?? kind.example
}
