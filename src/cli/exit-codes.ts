/**
 * The exit codes. Invariant: a code never changes its meaning, because scripts rely on it.
 *
 * Errors are told apart by `name` and `code`, because two copies of a class may meet in one program. A bug is what only
 * wrong code can cause: a failed assertion, a plain Error, or an error of the language itself. All that a user, a remote
 * peer, a network, a disk or an operating system can cause has another exit code, also where a library throws an error
 * that is not in these tables.
 */

import { causesOf } from '../failures/causes.ts'
import { systemCodeOf } from '../failures/system-errors.ts'

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
  // this project
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

  // @multiformats/multiaddr, @libp2p/interface, commander: what a person typed
  InvalidMultiaddrError: exitCodes.usage,
  UnknownProtocolError: exitCodes.usage,
  ValidationError: exitCodes.usage,
  InvalidPeerIdError: exitCodes.usage,
  InvalidMultihashError: exitCodes.usage,
  InvalidCIDError: exitCodes.usage,
  CommanderError: exitCodes.usage,
  InvalidArgumentError: exitCodes.usage,

  // @libp2p/interface, libp2p: keys and listeners
  InvalidPrivateKeyError: exitCodes.configuration,
  InvalidPublicKeyError: exitCodes.configuration,
  UnsupportedKeyTypeError: exitCodes.configuration,
  UnsupportedListenAddressError: exitCodes.configuration,
  UnsupportedListenAddressesError: exitCodes.configuration,
  MissingServiceError: exitCodes.configuration,
  UnmetServiceDependenciesError: exitCodes.configuration,

  // interface-store, yaml: files
  OpenFailedError: exitCodes.configuration,
  PutFailedError: exitCodes.configuration,
  GetFailedError: exitCodes.configuration,
  HasFailedError: exitCodes.configuration,
  DeleteFailedError: exitCodes.configuration,
  CloseFailedError: exitCodes.configuration,
  YAMLParseError: exitCodes.configuration,
  YAMLWarning: exitCodes.configuration,
}

/** The errors that the language throws, and `Error`: without a code they come from wrong code. */
export const languageErrors: ReadonlySet<string> = new Set([
  'Error',
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
])

/** Codes of Node.js for what it asserts of itself and of its caller. */
export const assertionCodes: ReadonlySet<string> = new Set([
  'ERR_AMBIGUOUS_ARGUMENT',
  'ERR_ARG_NOT_ITERABLE',
  'ERR_ASSERTION',
  'ERR_BUFFER_OUT_OF_BOUNDS',
  'ERR_CONSTRUCT_CALL_REQUIRED',
  'ERR_ILLEGAL_CONSTRUCTOR',
  'ERR_INTERNAL_ASSERTION',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_INVALID_RETURN_PROPERTY',
  'ERR_INVALID_RETURN_PROPERTY_VALUE',
  'ERR_INVALID_RETURN_VALUE',
  'ERR_INVALID_THIS',
  'ERR_METHOD_NOT_IMPLEMENTED',
  'ERR_MISSING_ARGS',
  'ERR_MULTIPLE_CALLBACK',
  'ERR_OUT_OF_RANGE',
])

/** System calls that reach another machine, or another program on this one. */
const networkCalls: ReadonlySet<string> = new Set(['connect', 'getaddrinfo', 'send', 'recv', 'shutdown'])

/** Codes of the system that say that a path to somebody else does not exist, or is gone. */
const networkCodes =
  /^(E(CONN|NET|HOST|TIMEDOUT|PIPE|SHUTDOWN|NOTCONN|NOTFOUND|PROTO|AFNOSUPPORT|MSGSIZE|DESTADDRREQ)|EAI_)/

/** Codes of Node.js, undici, OpenSSL and LevelDB that say that this machine, or its installation, does not fit. */
const localCodes =
  /^(LEVEL_|MODULE_NOT_FOUND|ERR_(SYSTEM_ERROR|ACCESS_DENIED|FS_|DIR_|DLOPEN|MODULE|PACKAGE|REQUIRE|UNSUPPORTED|UNKNOWN|INVALID_PACKAGE|NO_|CRYPTO|OSSL|WORKER|FEATURE|SOCKET_BUFFER_SIZE|TTY|PROXY_INVALID))/

/** Returns the exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): number {
  for (const each of causesOf(error)) {
    const code = codeOfOne(each)
    if (code !== undefined) return code
  }
  return exitCodes.bug
}

/** The exit code of an error by itself; undefined if it does not say where it comes from, so that its cause does. */
function codeOfOne(error: Error): number | undefined {
  const name = nameOf(error)
  if (name === 'AssertionError') return exitCodes.bug
  if (Object.hasOwn(byErrorName, name)) return byErrorName[name]
  if (listenFailureOf(error) !== undefined) return exitCodes.configuration
  const { code, syscall } = error as NodeJS.ErrnoException
  const systemCode = systemCodeOf(error)
  if (systemCode !== undefined) {
    const isNetwork = networkCalls.has(syscall ?? '') || networkCodes.test(systemCode)
    return isNetwork ? exitCodes.unreachable : exitCodes.configuration
  }
  if (typeof code === 'string' && code !== '') return codeByText(code)
  return languageErrors.has(name) ? undefined : exitCodes.unreachable
}

function codeByText(code: string): number {
  if (assertionCodes.has(code)) return exitCodes.bug
  if (code.startsWith('commander.')) return exitCodes.usage
  return localCodes.test(code) ? exitCodes.configuration : exitCodes.unreachable
}

/** Some libraries do not name the instances of their classes. */
function nameOf({ name, constructor }: Error): string {
  return name === 'Error' ? constructor.name : name
}

/** Returns the exit code of a command that was stopped by a signal: 128 and the signal's number, as shells do. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return bySignal[signal]
}

const listenFailures: readonly string[] = ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL']

/** Finds the system's refusal to listen on an address, in an error or its causes. */
export function listenFailureOf(error: unknown): NodeJS.ErrnoException | undefined {
  for (const each of causesOf(error)) {
    const { code = '', syscall = '' } = each as NodeJS.ErrnoException
    if (listenFailures.includes(code) && (syscall === 'listen' || syscall === 'bind')) return each
  }
  return undefined
}
