/**
 * Describes errors for people at a terminal.
 *
 * A known error is printed as its message, on one line. Any other error is a bug and is printed with all
 * details.
 */

import { inspect } from 'node:util'
import { describeSystemError, systemCodeOf } from '../../failures/system-errors.ts'
import { causesOf } from '../../failures/causes.ts'
import { exitCodeOf, exitCodes, languageErrors, listenFailureOf } from '../exit-codes.ts'

// remote peers choose parts of what is printed (names, reasons), which must not control the terminal
const unprintable = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu

/** Removes characters that move the cursor, change colours or reorder text. Line breaks and tabs stay. */
export function printable(text: string): string {
  return text.replace(unprintable, '')
}

/** Describes an error: in one line, in one line per problem, or with stack and causes for a bug. */
export function describeProblem(error: unknown): string {
  if (exitCodeOf(error) === exitCodes.bug) {
    return `error: this is a bug; please report it with these lines and what you did\n${inspect(error)}`
  }
  const { name, message } = error as Error
  if (name === 'InvalidConfigError' || name === 'UsageError') return listProblems(message.split('\n'))
  const failure = listenFailureOf(error)
  return `error: ${failure === undefined ? describeOne(error as Error) : describeListenFailure(failure)}`
}

/** The sentences for errors of libraries whose own do not say what has happened, or to whom. */
const sentences: Readonly<Record<string, string>> = {
  StreamResetError: 'The connection was cut: the service, or the remote peer, has reset it.',
}

/** What helps against errors of the system whose meaning does not say it. */
const advice: Readonly<Record<string, string>> = {
  EMFILE: ' Raise the limit (ulimit -n).',
  ENFILE: ' Raise the limit (sysctl fs.file-max).',
}

/** One line. A plain error that only wraps others says what those say, too. */
function describeOne(error: Error): string {
  const { name, message } = error
  const ofSystem = describeSystemError(error)
  const sentence =
    ofSystem === undefined
      ? (sentences[name] ?? oneLine(message))
      : `${ofSystem}${advice[systemCodeOf(error) ?? ''] ?? ''}`
  const [, cause] = causesOf(error)
  if (!languageErrors.has(name) || cause === undefined || systemCodeOf(error) !== undefined)
    return sentence === '' ? `${name}, without a reason.` : sentence
  const reason = describeOne(cause)
  return sentence === '' || reason.includes(sentence) ? reason : `${sentence}: ${reason}`
}

function listProblems(lines: readonly string[]): string {
  const [first, ...others] = lines
  if (others.length === 0) return `error: ${first}`
  return [`error: ${lines.length} problems`, ...lines.map(line => `  ${line}`)].join('\n')
}

function describeListenFailure(error: NodeJS.ErrnoException): string {
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  const place = address === undefined ? '' : ` on ${address}${port === undefined ? '' : ` port ${port}`}`
  switch (code) {
    case 'EADDRINUSE':
      return `Cannot listen${place}: the port is in use. Stop the program that uses it, or choose another port.`
    case 'EACCES':
      return `Cannot listen${place}: permission denied. Choose a port of 1024 or above.`
    default:
      return `Cannot listen${place}: this machine does not have the address. Choose one that it has, or 0.0.0.0.`
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
