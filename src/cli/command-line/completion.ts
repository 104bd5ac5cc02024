/** Completion scripts for shells, generated from the tables that also produce the help. */

import { nameOptions } from '../../config/options.ts'
import type { OptionSpec } from '../../config/options.ts'
import { withGlobalOptions } from './global-options.ts'
import type { Command } from '../command.ts'

/** The supported shells. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

/** The kind of a value: a file, one of a few words, or anything else, which a shell cannot complete. */
type Value = { kind: 'file' } | { kind: 'words'; words: readonly string[] } | { kind: 'other' }

/** A flag to complete. A switch has no `value`. */
interface Flag {
  flag: string
  doc: string
  value: Value | undefined
}

/** Writes the completion script of a program with these commands. */
export function completionScript(shell: Shell, program: string, commands: readonly Command[]): string {
  if (shell === 'fish') return fishScript(program, commands)
  const script = bashScript(program, commands)
  return shell === 'bash' ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`
}

function flagsOf({ options }: Command): Flag[] {
  const flags = nameOptions(withGlobalOptions(options)).map(({ name, flag, spec }) => ({
    // a switch that is on by default can only be turned off
    flag: spec.kind === 'boolean' && spec.default === true ? `--no-${name}` : flag,
    doc: spec.doc,
    value: spec.kind === 'boolean' ? undefined : valueOf(spec),
  }))
  return [...flags, { flag: '--help', doc: 'Show help', value: undefined }]
}

function valueOf(spec: OptionSpec): Value {
  if (spec.kind === 'path') return { kind: 'file' }
  return spec.kind === 'choice' ? { kind: 'words', words: spec.choices } : { kind: 'other' }
}

/** The possible words for the first argument of a command. */
function wordsOf(command: Command): readonly string[] {
  const [first] = Object.values(command.arguments ?? {})
  return first?.kind === 'choice' ? first.choices : []
}

function bashScript(program: string, commands: readonly Command[]): string {
  const name = `_${program.replaceAll('-', '_')}`
  const names = commands.map(it => it.name)
  const values = commands.flatMap(command => bashValues(command))
  const words = commands.map(
    command =>
      `    ${command.name}) words='${[...wordsOf(command), ...flagsOf(command).map(it => it.flag)].join(' ')}' ;;`,
  )
  return `# ${program}: completion for bash
${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command= words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in ${names.join('|')}) command="\${COMP_WORDS[i]}"; break ;; esac
  done
  case "$command $before" in
${values.join('\n')}
  esac
  case "$command" in
    '') words='${names.join(' ')} --help --version' ;;
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${name} ${program}
`
}

/** Completion of the values of options. */
function bashValues(command: Command): string[] {
  const withValue = flagsOf(command).filter(it => it.value !== undefined)
  const patterns = (kind: Value['kind']): string =>
    withValue
      .filter(it => it.value?.kind === kind)
      .map(it => `'${command.name} ${it.flag}'`)
      .join('|')
  const lines: string[] = []
  const files = patterns('file')
  if (files !== '') lines.push(`    ${files}) COMPREPLY=($(compgen -f -- "$current")); return ;;`)
  const others = patterns('other')
  if (others !== '') lines.push(`    ${others}) return ;;`)
  for (const { flag, value } of withValue)
    if (value?.kind === 'words')
      lines.push(
        `    '${command.name} ${flag}') COMPREPLY=($(compgen -W '${value.words.join(' ')}' -- "$current")); return ;;`,
      )
  return lines
}

function fishScript(program: string, commands: readonly Command[]): string {
  const lines = [`# ${program}: completion for fish`, `complete -c ${program} -f`]
  for (const command of commands) {
    const { name, summary } = command
    const seen = `complete -c ${program} -n '__fish_seen_subcommand_from ${name}'`
    lines.push(`complete -c ${program} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`)
    const words = wordsOf(command)
    if (words.length > 0) lines.push(`${seen} -a ${quoted(words.join(' '))}`)
    for (const { flag, doc, value } of flagsOf(command))
      lines.push(`${seen} -l ${flag.slice(2)}${fishValue(value)} -d ${quoted(doc)}`)
  }
  return `${lines.join('\n')}\n`
}

function fishValue(value: Value | undefined): string {
  if (value === undefined) return ''
  if (value.kind === 'file') return ' -r -F'
  return value.kind === 'words' ? ` -x -a ${quoted(value.words.join(' '))}` : ' -x'
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
