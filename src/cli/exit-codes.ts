/**
 * Which exit code says what. Scripts rely on it, so a code never changes its meaning.
 *
 * Errors are told apart by `name`, because two copies of a class may meet in one program.
 */

/** The exit codes other than those by signal. */
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

/** Tells the exit code of a command that ended with this error. What is not known is a bug. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return exitCodes.bug
  if (Object.hasOwn(byErrorName, error.name)) return byErrorName[error.name] ?? exitCodes.bug
  return listenFailureOf(error) === undefined ? exitCodes.bug : exitCodes.configuration
}

/** Tells the exit code of a command that was stopped by a signal: 128 and the signal's number, as shells do. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return bySignal[signal]
}

/** Finds, in an error or its causes, the system's refusal to listen on an address. */
export function listenFailureOf(error: unknown): NodeJS.ErrnoException | undefined {
  const seen = new Set<unknown>()
  for (let each = error; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each)
    const { code = '', syscall = '' } = each as NodeJS.ErrnoException
    if (listenFailures.includes(code) && (syscall === 'listen' || syscall === 'bind')) return each
  }
  return undefined
}
