/**
 * Runs one program to its end, with a bound on its time, and says what went wrong in full.
 *
 * Nothing here goes through a shell, so that no argument needs quoting.
 */
import { spawn } from 'node:child_process'

/** What a program left behind. */
export interface CommandOutput {
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  /** Written to the program's stdin, which is closed afterwards. */
  readonly input?: string
  /**
   * Kills the program after this many milliseconds.
   *
   * @default 10000
   */
  readonly timeoutMs?: number
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly signal?: AbortSignal
}

/** Thrown when a program cannot be started, runs out of time, is killed, or ends with another code than 0. */
export class LabCommandError extends Error {
  static override readonly name = 'LabCommandError'
  override readonly name = 'LabCommandError'
  readonly command: string
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string

  constructor(command: readonly string[], reason: string, output: CommandOutput & { exitCode?: number }) {
    super(`${command.join(' ')}: ${reason}${output.stderr === '' ? '' : `\n${output.stderr.trimEnd()}`}`)
    this.command = command.join(' ')
    this.exitCode = output.exitCode
    this.stdout = output.stdout
    this.stderr = output.stderr
  }
}

/**
 * Resolves with the output of a program that ended with exit code 0.
 *
 * @throws {LabCommandError} in every other case; an aborted `signal` kills the program.
 */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  const { timeoutMs = 10_000, input } = options
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program that ends before it has read its input (EPIPE) is judged by its exit code.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)

  return await new Promise((resolve, reject) => {
    const output = () => ({
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
    })
    child.once('error', error => reject(new LabCommandError(command, error.message, output())))
    child.once('close', (exitCode, killedBy) => {
      if (exitCode === 0) resolve(output())
      else if (exitCode === null)
        reject(new LabCommandError(command, `killed by ${killedBy} (bound: ${timeoutMs} ms)`, output()))
      else reject(new LabCommandError(command, `exit code ${exitCode}`, { ...output(), exitCode }))
    })
  })
}
