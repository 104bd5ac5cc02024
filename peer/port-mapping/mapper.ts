/**
 * The interface of the three port mapping protocols: ask a gateway for a port, for a limited time.
 *
 * Finding a mapper creates no mapping, so all protocols are searched at the same time. Invariant: one
 * protocol creates a mapping, never two. Many gateways store the same port of two protocols as one rule, and
 * removing one removes both.
 */

/** The protocols of port mapping. */
export type MappingProtocol = 'pcp' | 'nat-pmp' | 'upnp'

/** The network of this host: where its IPv4 default route leads. */
export interface Network {
  /** The next hop of the default route. `undefined` if the platform does not reveal it. */
  readonly gateway: string | undefined
  readonly ownAddress: string
}

/** A mapping that a gateway has granted. */
export interface Lease {
  readonly externalAddress: string
  readonly externalPort: number
  readonly lifetimeMs: number
}

/** A gateway that answered in one protocol. */
export interface Mapper {
  readonly protocol: MappingProtocol
  /**
   * Maps an external TCP port to this port of this host, or renews the mapping.
   *
   * @throws {MappingRefusedError} if the gateway refuses
   */
  map(port: number, held: Lease | undefined, signal: AbortSignal): Promise<Lease>
  /** Removes the mapping that `map` created for this port, or may have created when it was interrupted. */
  unmap(port: number, signal: AbortSignal): Promise<void>
}

/** Searches for a gateway without changing anything on it. Rejects if it finds none. */
export type FindMapper = (network: Network, signal: AbortSignal) => Promise<Mapper>

/** The gateway answered with a refusal. The error never leaves this folder: it becomes an event. */
export class MappingRefusedError extends Error {
  static override readonly name = 'MappingRefusedError'
  override readonly name = 'MappingRefusedError'
  /** The result code of PCP or NAT-PMP, or the error code of UPnP. */
  readonly code: number

  constructor(protocol: MappingProtocol, code: number) {
    super(`the gateway refused the mapping by ${protocol}: code ${code}`)
    this.code = code
  }
}

/** The requested lifetime, in seconds: RFC 6886 section 3.3 recommends 7200. */
export const LIFETIME_SECONDS = 7200

/** The longest lifetime that is believed, in seconds: RFC 6887 section 15 recommends at most 24 hours. */
const MAX_LIFETIME_SECONDS = 86_400

/**
 * Makes a lease from the fields of an answer. Checks them, because a gateway may send anything.
 *
 * @throws {MappingRefusedError} if the port or the lifetime is 0
 */
export function leaseOf(
  protocol: MappingProtocol,
  { address, port, seconds }: { address: string; port: number; seconds: number },
): Lease {
  if (port === 0 || seconds === 0) throw new MappingRefusedError(protocol, 0)
  return {
    externalAddress: address,
    externalPort: port,
    lifetimeMs: Math.min(seconds, MAX_LIFETIME_SECONDS) * 1000,
  }
}
