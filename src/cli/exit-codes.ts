/**
 * The exit codes. Invariant: a code never changes its meaning, because scripts rely on it.
 *
 * Errors are distinguished by `name`, because a program may contain two copies of a class.
 */

/** The exit codes, except those for signals. */
export const exitCodes = {
  ok: 0,
  bug: 1,
  usage: 2,
  configuration: 3,
  unreachable: 4,
  stayedRelayed: 5,
} as const

/** The signals that stop a command. */
export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const bySignal: Readonly<Record<StopSignal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

const byErrorName: Readonly<Record<string, number>> = {
  UsageError: exitCodes.usage,
  InvalidTargetError: exitCodes.usage,
  InvalidConfigError: exitCodes.configuration,
  IdentityError: exitCodes.configuration,
  DataDirError: exitCodes.configuration,
  CertificateError: exitCodes.configuration,
  UnsupportedRuntimeError: exitCodes.configuration,
  UpstreamChangedError: exitCodes.configuration,
  ListenError: exitCodes.configuration,
  UnreachableError: exitCodes.unreachable,
  TimeoutError: exitCodes.unreachable,
  ServiceRefusedError: exitCodes.unreachable,
  CircuitLimitError: exitCodes.unreachable,
  HolePunchFailedError: exitCodes.stayedRelayed,
}

const listenFailures: readonly string[] = ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL']

/** The exit code of a command that ended with this error. An unknown error is a bug. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return exitCodes.bug
  if (Object.hasOwn(byErrorName, error.name)) return byErrorName[error.name] ?? exitCodes.bug
  return listenFailureOf(error) === undefined ? exitCodes.bug : exitCodes.configuration
}

/** The exit code of a command that a signal stopped: 128 plus the signal's number, as in shells. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return bySignal[signal]
}

/** Finds the system's refusal to listen on an address, in an error or its causes. */
export function listenFailureOf(error: unknown): NodeJS.ErrnoException | undefined {
  const seen = new Set<unknown>()
  for (let each = error; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each)
    const { code = '', syscall = '' } = each as NodeJS.ErrnoException
    if (listenFailures.includes(code) && (syscall === 'listen' || syscall === 'bind')) return each
  }
  return undefined
}
