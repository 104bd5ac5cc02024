/**
 * Writes `--help`: the usage, the summary, each option with its default or an example, and complete examples.
 *
 * Everything comes from the tables that also parse the command line.
 */

import type { Argument, Command as Parser } from 'commander'
import { Option } from 'commander'
import type { OptionDescription } from '../../config/describe.ts'
import { describeTable } from '../../config/describe.ts'
import type { Command } from '../command.ts'
import { placeArguments } from '../command.ts'
import { globalOptions } from './global-options.ts'

const everyCommand = 'Options of every command:'

/** Help for a program with subcommands. */
export function describeProgram(parser: Parser, description: string): void {
  parser.description(description).usage('COMMAND [options]')
  describeOptionsOf(parser, [])
  parser.addHelpText('after', `\nSee ${parser.name()} COMMAND --help.`)
}

/** Help for one command. */
export function describeCommand(parser: Parser, command: Command): void {
  const places = placeArguments(command)
  for (const { placeholder, doc } of places) parser.argument(`[${placeholder}]`, doc)
  const usage = places.map(({ placeholder, isMany, isRequired }) => {
    const word = isMany ? `${placeholder}...` : placeholder
    return isRequired ? word : `[${word}]`
  })
  const options = describeTable(command.options)
  parser
    .summary(command.summary)
    .description(command.summary)
    .usage([...usage, '[options]'].join(' '))
  describeOptionsOf(parser, options)
  parser.addHelpText('after', `\n${sourcesText(options)}\n\n${examplesText(command.examples)}`)
}

function describeOptionsOf(parser: Parser, own: readonly OptionDescription[]): void {
  const shared = describeTable(globalOptions)
  const byFlag = new Map([...own, ...shared].map(option => [option.usage.split(' ', 1)[0], option]))
  for (const option of parser.options) {
    const description = byFlag.get(option.long)
    if (description === undefined && option.long !== '--version') option.hideHelp()
    if (description === undefined || shared.includes(description)) option.helpGroup(everyCommand)
  }
  parser.addHelpOption(new Option('-h, --help', 'Show this help').helpGroup(everyCommand))
  const usageOf = (option: Option): string => byFlag.get(option.long)?.usage ?? option.flags
  parser.configureHelp({
    optionTerm: usageOf,
    optionDescription(option) {
      const description = byFlag.get(option.long)
      return description === undefined ? option.description : sentence(description)
    },
    argumentTerm: (argument: Argument) => argument.name(),
    subcommandTerm: subcommand =>
      `${subcommand.name()} ${subcommand.usage().replace(/ ?\[options\]$/, '')}`.trim(),
  })
}

function sentence({ doc, default: fallback, example, isRequired }: OptionDescription): string {
  if (isRequired) return `${doc} (required, for example ${example})`
  if (fallback !== undefined && fallback !== 'none') return `${doc} (default: ${fallback})`
  return example === undefined ? doc : `${doc} (for example ${example})`
}

function sourcesText(own: readonly OptionDescription[]): string {
  const option = own.find(({ variable }) => variable !== undefined) ?? describeTable(globalOptions)[0]
  const { usage = '', variable = '', name = '' } = option ?? {}
  return [
    'Every option can also be set in the environment or in the file that --config names:',
    `${usage.split(' ', 1)[0]} is ${variable} there, or the key ${name}. Flags override the environment,`,
    'which overrides the file. Separate the items of lists in the environment by spaces or commas.',
  ].join('\n')
}

function examplesText(examples: readonly string[]): string {
  return ['Examples:', ...examples.map(example => `  ${example}`)].join('\n')
}
