/**
 * Matches environment variables to options.
 *
 * A program reads its own options and ignores what it does not know: an environment belongs to many programs. A variable
 * that is nearly one of its own gets a warning. Kubernetes adds variables for each Service of the namespace; for a Service
 * called `throughnat-relay` or `throughnat` they have our prefix, and one of them can have the name of an option.
 */

import { distance } from 'fastest-levenshtein'
import type { Findings, Given } from './given.ts'
import type { NamedOption } from './options.ts'
import { environmentPrefix } from './options.ts'

/** Edits between a variable and an option's that are a likely mistake: two letters swapped, or a plural. */
const NEAR_MISS_EDITS = 2

/** Kubernetes, "Service environment variables" and the Docker links that these are compatible with. */
const SERVICE_LINK_NAME = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\/\S+:\d+$/i

/** What reading the environment came to. */
export interface EnvironmentFindings extends Findings {
  /** One sentence each, without a full stop. */
  readonly warnings: string[]
}

/**
 * Reads the environment. An empty variable counts as not set, which is how container tools pass on what they were not
 * given. A carriage return at the end of a value is dropped: files with Windows line ends leave one. Quotes around a value
 * are dropped, too; in a list, they hold together what has a blank or a comma in it.
 *
 * @param otherVariables - those of the program's other commands; they are ignored without a warning
 */
export function readEnvironmentSource(
  environment: Readonly<Record<string, string | undefined>>,
  options: readonly NamedOption[],
  otherVariables: readonly string[],
): EnvironmentFindings {
  const known = options.filter(({ spec }) => spec.flagOnly !== true)
  const byVariable = new Map(known.map(option => [option.variable, option]))
  const flagOnly = new Map(
    options.filter(({ spec }) => spec.flagOnly === true).map(it => [it.variable, it.flag]),
  )
  const own = [...byVariable.keys(), ...otherVariables]
  const warnings: string[] = []
  const given: Given[] = []
  for (const [where, value = ''] of Object.entries(environment)) {
    if (!where.startsWith(environmentPrefix)) continue
    const text = withoutReturn(value)
    const option = byVariable.get(where)
    const flag = flagOnly.get(where)
    const isLink = SERVICE_LINK_NAME.test(where) || SERVICE_LINK_VALUE.test(text)
    if (isLink) {
      if (own.includes(where)) warnings.push(`${where} is ignored: its value is a Kubernetes service link`)
    } else if (flag !== undefined) {
      warnings.push(`${where} is ignored: ${flag} is an option of the command line only`)
    } else if (option === undefined) {
      const meant = own.includes(where) ? undefined : own.find(it => distance(it, where) <= NEAR_MISS_EDITS)
      if (meant !== undefined)
        warnings.push(`${where} is ignored: it is not an option; did you mean ${meant}`)
    } else if (unquoted(text).trim() !== '') given.push(read(option, where, text))
  }
  return { given, problems: [], warnings }
}

function read(option: NamedOption, where: string, text: string): Given {
  const isList = option.spec.many === true
  const texts = isList ? splitList(text) : [unquoted(text)]
  return { option, source: 'environment', where, isList, items: texts.map(part => ({ where, text: part })) }
}

/** Returns the value of a variable that has one value; empty if it counts as not set. */
export function plainValue(value: string | undefined): string {
  return unquoted(withoutReturn(value ?? '')).trim()
}

function withoutReturn(value: string): string {
  return value.replace(/\r+$/, '')
}

/** Splits at blanks and commas, except within quotes: `web=127.0.0.1:80 "files=unix:/run/my files.sock"`. */
function splitList(text: string): string[] {
  const parts = text.match(/(?:"[^"]*"|'[^']*'|[^\s,])+/g) ?? []
  return parts.map(part => part.replace(/"([^"]*)"|'([^']*)'/g, '$1$2')).filter(part => part !== '')
}

/** Docker's `--env-file` and systemd's `Environment=` inside of other quotes keep the quotes of a value. */
function unquoted(text: string): string {
  const [, double, single] = /^\s*(?:"([^"]*)"|'([^']*)')\s*$/.exec(text) ?? []
  return double ?? single ?? text
}
