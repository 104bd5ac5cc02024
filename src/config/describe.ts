/**
 * Tells people about options: what a command accepts, and where its values came from.
 *
 * Help, documentation and `--explain` are all made from the table here, so they agree with what is parsed.
 */

import type { OptionSpec, OptionTable } from './options.ts'
import { nameOptions } from './options.ts'
import type { Origin, Resolution } from './resolve.ts'
import { exampleOf } from './sources.ts'

/** One option in words. */
export interface OptionDescription {
  readonly key: string
  readonly name: string
  /** As it is typed: `--data-dir DIR`, `--listen MA ...`, `--no-mdns` for a switch that is on. */
  readonly usage: string
  /** The environment variable; nothing for an option of the command line alone. */
  readonly variable: string | undefined
  readonly doc: string
  /** The default as a person would type it; nothing when there is none, or it is off. */
  readonly default: string | undefined
  /** A good value; nothing for a switch. */
  readonly example: string | undefined
  readonly isRequired: boolean
}

/** One line of `--explain`. */
export interface ExplainedValue {
  /** The option as in the config file: `data-dir`. */
  readonly option: string
  /** As a person would type it; nothing when there is no value. */
  readonly value: string | undefined
  /** `built in`, `relay.yaml:3`, `THROUGHNAT_PORT` or `--port`. */
  readonly from: string
}

/** Puts the options of a table in words. */
export function describeTable(table: OptionTable): OptionDescription[] {
  return nameOptions(table).map(option => {
    const { key, name, flag, variable, spec, kind } = option
    const isSwitch = spec.kind === 'boolean'
    const placeholder = spec.placeholder ?? kind.placeholder
    const repeated = spec.many === true ? ' ...' : ''
    return {
      key,
      name,
      usage: isSwitch ? (spec.default === true ? `--no-${name}` : flag) : `${flag} ${placeholder}${repeated}`,
      variable: spec.flagOnly === true ? undefined : variable,
      doc: spec.doc,
      default: defaultText(spec),
      example: isSwitch ? undefined : exampleOf(option),
      isRequired: !isSwitch && spec.default === undefined && spec.optional !== true,
    }
  })
}

/**
 * Lists each value with its origin; one line a value for options with many.
 *
 * @param implied - what holds for options without a value because of others, by key
 */
export function explainResolution(
  table: OptionTable,
  { origins }: Resolution<OptionTable>,
  implied: Readonly<Record<string, { readonly text: string; readonly from: string }>> = {},
): ExplainedValue[] {
  return nameOptions(table).flatMap(({ key, name }) => {
    const origin = origins.get(key) as Origin
    const follows = origin.texts.length === 0 ? implied[key] : undefined
    if (follows !== undefined) return [{ option: name, value: follows.text, from: follows.from }]
    const texts = origin.texts.length === 0 ? [undefined] : origin.texts
    return texts.map(value => ({ option: name, value, from: origin.where }))
  })
}

function defaultText(spec: OptionSpec): string | undefined {
  if (spec.kind === 'boolean') return spec.default === true ? 'on' : undefined
  if (spec.default === undefined) return undefined
  const texts = [spec.default].flat().map(String)
  return texts.length === 0 ? 'none' : texts.join(' ')
}
