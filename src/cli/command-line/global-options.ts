/** The options that every command has. The program handles them and does not pass them to commands. */

import type { OptionTable } from '../../config/options.ts'

/** `--json`, `--quiet`, `--config`, `--explain` and `--check-config`; `--help` and `--version` print and end, so they are no options. */
export const globalOptions = {
  json: { kind: 'boolean', doc: 'Write one JSON object per line to stdout' },
  quiet: { kind: 'boolean', doc: 'Print errors and results only: no progress, no hints' },
  config: {
    kind: 'path',
    optional: true,
    placeholder: 'FILE',
    example: './throughnat.yaml',
    doc: 'Read options from this YAML or JSON file',
  },
  explain: {
    kind: 'boolean',
    flagOnly: true,
    doc: 'Show each option and the source of its value, then exit',
  },
  checkConfig: {
    kind: 'boolean',
    flagOnly: true,
    doc: 'Check the options, the environment and the config file, then exit',
  },
} as const

/**
 * Adds the global options to those of a command.
 *
 * @throws {Error} if the command has an option with the same name
 */
export function withGlobalOptions(options: OptionTable): OptionTable {
  for (const key of Object.keys(globalOptions)) {
    if (Object.hasOwn(options, key))
      throw new Error(`Every command already has the option ${key}; choose another name.`)
  }
  return { ...options, ...globalOptions }
}
