/**
 * Every error this project throws on purpose: one class each, told apart by `name`, details in typed fields.
 *
 * Aborts are libp2p's `AbortError` and `TimeoutError`, never wrapped; unknown errors pass through. Two copies of
 * this package may meet in one program, so match on `error.name` rather than with `instanceof`.
 */

/** One thing wrong with the configuration, as found in a flag, an environment variable or the config file. */
export interface ConfigProblem {
  /** Where the value came from, as a person would look for it: `--port`, `THROUGHNAT_PORT`, `relay.yaml:3`. */
  where: string
  /** What is wrong and what would be right, in one sentence without a full stop. */
  what: string
}

/** Thrown when options are unknown, malformed or out of range. All problems are reported at once. */
export class InvalidConfigError extends Error {
  static override readonly name = 'InvalidConfigError'
  override readonly name = 'InvalidConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map(problem => `${problem.where}: ${problem.what}`).join('\n'), options)
    this.problems = problems
  }
}

/** Thrown when the command line cannot be understood: an unknown command, a missing argument. */
export class UsageError extends Error {
  static override readonly name = 'UsageError'
  override readonly name = 'UsageError'
}

/** Thrown when the identity cannot be read, written or trusted (another user can read the key). */
export class IdentityError extends Error {
  static override readonly name = 'IdentityError'
  override readonly name = 'IdentityError'
  readonly path: string

  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options)
    this.path = path
  }
}

/**
 * Thrown when a data directory cannot be used: `in-use` by another process, `unsafe` because another user can change it,
 * or `unusable`.
 */
export class DataDirError extends Error {
  static override readonly name = 'DataDirError'
  override readonly name = 'DataDirError'
  readonly reason: 'in-use' | 'unsafe' | 'unusable'
  readonly path: string
  /** The system's error code, such as `ENOSPC`, where there is one. For `unsafe`, who can change what, and the command that ends it. Else a text. */
  readonly problem: string

  constructor(reason: DataDirError['reason'], path: string, problem: string, options?: ErrorOptions) {
    const what = reason === 'in-use' ? 'another process is running with it' : problem
    super(`Cannot use the data directory ${path}: ${what}.${adviceFor(reason, problem)}`, options)
    this.reason = reason
    this.path = path
    this.problem = problem
  }
}

/** Empty for an unsafe directory: the problem names the command that ends it. */
function adviceFor(reason: DataDirError['reason'], problem: string): string {
  if (reason === 'unsafe') return ''
  if (reason === 'in-use') return ' Stop that, or give this one its own.'
  return ` ${DISK_ADVICE[problem] ?? 'Check that this user may write there'}.`
}

const DISK_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on its disk',
  EDQUOT: "Remove files, or raise this user's quota",
  EFBIG: 'Raise the limit on the size of files (ulimit -f)',
  EROFS: 'Make its file system writable',
  EIO: 'Check its disk',
  EMFILE: 'Raise the limit on open files (ulimit -n)',
}

/** Thrown when the certificate for WebSocket listeners cannot be used. */
export class CertificateError extends Error {
  static override readonly name = 'CertificateError'
  override readonly name = 'CertificateError'
  readonly path: string

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`Cannot use the certificate ${path}: ${problem}. Check --tls-cert and --tls-key.`, options)
    this.path = path
  }
}

/** Thrown when this Node.js is too old to share a port between a listener and outbound sockets. */
export class UnsupportedRuntimeError extends Error {
  static override readonly name = 'UnsupportedRuntimeError'
  override readonly name = 'UnsupportedRuntimeError'
}

/** Thrown when a library that this package patches has changed, so that the patch does not fit any more. */
export class UpstreamChangedError extends Error {
  static override readonly name = 'UpstreamChangedError'
  override readonly name = 'UpstreamChangedError'
  readonly packageName: string
  readonly version: string
  /** The members that the patch needs and that are not there. */
  readonly missing: readonly string[]

  constructor(packageName: string, version: string, missing: readonly string[]) {
    super(
      `${packageName} ${version} has no ${missing.join(', no ')}, which throughnat needs. ` +
        "Install the version that throughnat's package.json names.",
    )
    this.packageName = packageName
    this.version = version
    this.missing = missing
  }
}

/** Thrown when an address cannot be listened on. */
export class ListenError extends Error {
  static override readonly name = 'ListenError'
  override readonly name = 'ListenError'
  /** The addresses that were to be listened on, as multiaddrs. */
  readonly addrs: readonly string[]

  constructor(addrs: readonly string[], problem: string, options?: ErrorOptions) {
    super(`Cannot listen on ${addrs.join(', ')}: ${problem}. Choose another, or stop what has it.`, options)
    this.addrs = addrs
  }
}

/** Thrown when a target, or a relay's address, cannot be understood. */
export class InvalidTargetError extends Error {
  static override readonly name = 'InvalidTargetError'
  override readonly name = 'InvalidTargetError'
  readonly target: string

  constructor(target: string, problem: string, options?: ErrorOptions) {
    super(
      `Cannot use ${JSON.stringify(target)}: ${problem}. ` +
        'A target is a peer id, or an address like /ip4/192.0.2.1/tcp/4001/p2p/RELAY/p2p-circuit/p2p/PEER.',
      options,
    )
    this.target = target
  }
}

/**
 * What a stream failed with that was cut because its circuit had carried as much, or lasted as long, as the relay allows.
 * New streams go over another circuit, or directly.
 */
export class CircuitLimitError extends Error {
  static override readonly name = 'CircuitLimitError'
  override readonly name = 'CircuitLimitError'
  readonly limit: 'data' | 'duration'
  /** The relay's peer id. */
  readonly relay: string

  constructor(limit: CircuitLimitError['limit'], relay: string, options?: ErrorOptions) {
    super(
      `The relay ${relay} has ended the circuit: it ${limit === 'data' ? 'carried as much' : 'lasted as long'} as the relay allows. ` +
        'Wait for a direct connection before sending much, or use a relay with larger limits.',
      options,
    )
    this.limit = limit
    this.relay = relay
  }
}

/** Thrown when a remote peer cannot be reached over any path. */
export class UnreachableError extends Error {
  static override readonly name = 'UnreachableError'
  override readonly name = 'UnreachableError'
}

/**
 * Why a hole punch ended without a direct connection.
 *
 * - `not-supported`: the remote does not speak DCUtR
 * - `cannot-share-port`: this node has no TCP listener whose port outbound sockets can share
 * - `no-local-candidates`: no relay has told this node its public endpoint, so there is nothing to offer
 * - `no-remote-candidates`: the remote offered no address that may be dialled
 * - `refused`: every dial was answered by RST or ICMP until the window ended
 * - `timed-out`: no answer came before the window ended; a NAT in between does not let the punch through
 * - `wrong-peer`: something answered, and it was not the remote
 * - `throttled`: too many punches to this remote, or to the address that it gave, have come to nothing of late
 * - `lossy-path`: a direct connection came up, and full packets did not get through, or the last one died under load
 * - `protocol`: the remote broke the DCUtR protocol or the exchange over the circuit failed
 * - `circuit-closed`: the relayed connection went away before the attempts were over
 * - `stopped`: this node was stopped
 */
export type HolePunchFailure =
  | 'not-supported'
  | 'cannot-share-port'
  | 'no-local-candidates'
  | 'no-remote-candidates'
  | 'refused'
  | 'timed-out'
  | 'wrong-peer'
  | 'throttled'
  | 'lossy-path'
  | 'protocol'
  | 'circuit-closed'
  | 'stopped'

/** What a person can do about each {@link HolePunchFailure}. */
export const holePunchAdvice: Readonly<Record<HolePunchFailure, string>> = {
  'not-supported': 'the other side does not speak DCUtR; it stays reachable through the relay',
  'cannot-share-port': 'listen on a TCP port, with Node 24.19 or later on Linux',
  'no-local-candidates': 'connect to a relay that is not on the same network as this peer',
  'no-remote-candidates': 'the other side knows no public address of its own; check its relay',
  refused: 'a router answers unexpected packets with a refusal; forward a port on either side',
  'timed-out':
    'a NAT picks a new port for each destination or drops the punch; forward a port on either side',
  'wrong-peer': 'something else answers at the address that the other side gave',
  throttled: 'too many punches to that peer or its address have failed of late; connect again in a minute',
  'lossy-path':
    'the direct path loses large packets or dies under load; a router in between may have a smaller MTU than it says',
  protocol: 'the exchange through the relay failed; see the cause',
  'circuit-closed':
    'the circuit ended before the punch was over: the remote peer has left, or the relay allows too little',
  stopped: 'this peer was stopped',
}

/** Thrown by `connection.direct()` when the path stays relayed; the circuit still carries data. */
export class HolePunchFailedError extends Error {
  static override readonly name = 'HolePunchFailedError'
  override readonly name = 'HolePunchFailedError'
  readonly reason: HolePunchFailure

  constructor(reason: HolePunchFailure, remotePeer: string, options?: ErrorOptions) {
    super(`No direct connection to ${remotePeer} (${reason}): ${holePunchAdvice[reason]}.`, options)
    this.reason = reason
  }
}

/** Why a peer was not let through to a service. `refused` also covers services that do not exist. */
export type ServiceFailure = 'refused' | 'service-down' | 'protocol'

/** Thrown when a remote peer does not carry a connection to the service that was asked for. */
export class ServiceRefusedError extends Error {
  static override readonly name = 'ServiceRefusedError'
  override readonly name = 'ServiceRefusedError'
  readonly reason: ServiceFailure
  readonly service: string

  constructor(reason: ServiceFailure, service: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
    this.service = service
  }
}
