/**
 * What the three protocols of port mapping have in common: a gateway that is asked for a port, for a time.
 *
 * Finding a mapper makes no mapping, so all protocols can be looked for at once. A mapping is made by one of them
 * only: the same port asked for by two protocols is one rule in many gateways, and who removes the one removes both.
 */

/** How a gateway is asked. */
export type MappingProtocol = 'pcp' | 'nat-pmp' | 'upnp'

/** Where this host is: its own address in the network that its IPv4 default route leads through. */
export interface Network {
  /** The next hop of the default route; `undefined` where the platform does not tell. */
  readonly gateway: string | undefined
  readonly ownAddress: string
}

/** What a gateway has granted. */
export interface Lease {
  readonly externalAddress: string
  readonly externalPort: number
  readonly lifetimeMs: number
}

/** A gateway that answered in one protocol. */
export interface Mapper {
  readonly protocol: MappingProtocol
  /**
   * Maps an external TCP port to this one of this host, or renews that.
   *
   * @throws {MappingRefusedError} when the gateway says no
   */
  map(port: number, held: Lease | undefined, signal: AbortSignal): Promise<Lease>
  /** Removes what `map` has made for this port, or may have made when it was cut short. */
  unmap(port: number, signal: AbortSignal): Promise<void>
}

/** Looks for a gateway without changing anything there. Rejects when there is none. */
export type FindMapper = (network: Network, signal: AbortSignal) => Promise<Mapper>

/** The gateway answered, and the answer was no. It never leaves this folder: it becomes an event. */
export class MappingRefusedError extends Error {
  static override readonly name = 'MappingRefusedError'
  override readonly name = 'MappingRefusedError'
  /** The result code of PCP or NAT-PMP, the error code of UPnP. */
  readonly code: number

  constructor(protocol: MappingProtocol, code: number) {
    super(`the gateway refused by ${protocol}: ${code}`)
    this.code = code
  }
}

/** RFC 6886 section 3.3: the recommended lifetime of a mapping is 7200 seconds. */
export const LIFETIME_SECONDS = 7200

/** RFC 6887 section 15: a mapping should not live longer than 24 hours. */
const MAX_LIFETIME_SECONDS = 86_400

/** A lease in the terms of the wire, checked: a gateway can say what it likes. */
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
