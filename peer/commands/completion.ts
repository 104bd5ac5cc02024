/** The command `throughnat completion`: prints a script for shell completion. */

import { defineCommand } from '../../src/cli/command.ts'
import { completionScript, SHELLS } from '../../src/cli/command-line/completion.ts'
import type { Command } from '../../src/cli/command.ts'
import type { Shell } from '../../src/cli/command-line/completion.ts'

/** Makes the command. @param commands - the other commands of the program */
export function completionOf(program: string, commands: readonly Command[]): Command {
  const completion: Command = defineCommand({
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell',
    arguments: { shell: { kind: 'choice', choices: SHELLS, doc: 'The shell' } },
    options: {},
    examples: [
      'throughnat completion bash > /etc/bash_completion.d/throughnat',
      "echo 'source <(throughnat completion zsh)' >> ~/.zshrc",
      'throughnat completion fish > ~/.config/fish/completions/throughnat.fish',
    ],
    run: (_config, context) => {
      context.output.text(
        completionScript(context.arguments.shell as Shell, program, [...commands, completion]),
      )
    },
  })
  return completion
}
