/**
 * UPnP: maps ports on an internet gateway device of version 1 or 2, by actions over HTTP.
 *
 * `@achingbrain/nat-port-mapper` 4.0.5 supports it too, and is not used: it knows version 2 only. It removes
 * the external port with the number of the internal one. It follows any URL from the LAN, and reads answers
 * of any length.
 * Spec: UPnP WANIPConnection:1, sections 2.4.16 (AddPortMapping), 2.4.17 (DeletePortMapping), 2.4.18.
 */

import { randomInt } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { fetchBounded } from './bounded-http.ts'
import { leaf, readServices, writeAction } from './igd-documents.ts'
import { LIFETIME_SECONDS, MappingRefusedError, leaseOf } from './mapper.ts'
import { findDescriptions } from './ssdp.ts'
import type { Service } from './igd-documents.ts'
import type { Lease, Mapper, Network } from './mapper.ts'

const PROTOCOL = 'upnp'

/** Error codes of AddPortMapping: WANIPConnection:1, section 2.4.16. */
const CONFLICT = 718
const SAME_PORTS_ONLY = 724
const PERMANENT_LEASES_ONLY = 725

/**
 * Attempts with other external ports if a port is in use. The ports are random, so a second attempt is rarely
 * needed.
 */
const MAX_PORTS_TRIED = 4
/** RFC 6335 section 6: the dynamic ports. */
const DYNAMIC_PORTS = [49_152, 65_536] as const

/**
 * Searches for a gateway by SSDP. Resolves with the first device whose service reports its external address.
 * All answering devices are asked in parallel, so a slow one delays none.
 *
 * @throws when no device qualifies by the time `signal` fires
 */
export async function findUpnp(network: Network, signal: AbortSignal): Promise<Mapper> {
  const found = new AbortController()
  const limit = AbortSignal.any([signal, found.signal])
  const { promise, resolve, reject } = Promise.withResolvers<Mapper>()
  const search = async (): Promise<void> => {
    for await (const location of findDescriptions(network, limit))
      openGateway(location, network, limit).then(resolve, () => {}) // this device is not a gateway
    throw new Error('no gateway answered by UPnP')
  }
  search().catch(reject)
  try {
    return await promise
  } finally {
    found.abort()
  }
}

/** Asks the device of a description for its external address. Rejects if the device is not a gateway. */
export async function openGateway(
  location: URL,
  { ownAddress }: Network,
  signal: AbortSignal,
): Promise<Mapper> {
  const { text } = await fetchBounded(location, { method: 'GET', localAddress: ownAddress }, signal)
  for (const service of readServices(text, location)) {
    const mapper = new Upnp(service, ownAddress)
    // a device may have a service for an unused line, which has no address
    if (isIPv4(await mapper.externalAddress(signal).catch(() => ''))) return mapper
  }
  throw new Error(`${location.href} does not describe a gateway`)
}

class Upnp implements Mapper {
  readonly protocol = PROTOCOL
  readonly #service: Service
  readonly #ownAddress: string
  /** External ports that this client has mapped or is about to map, by internal port. */
  readonly #asked = new Map<number, number>()

  constructor(service: Service, ownAddress: string) {
    this.#service = service
    this.#ownAddress = ownAddress
  }

  async externalAddress(signal: AbortSignal): Promise<string> {
    return (await this.#act('GetExternalIPAddress', {}, 'NewExternalIPAddress', signal)) ?? ''
  }

  async map(port: number, held: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    const externalPort = await this.#add(port, held?.externalPort ?? port, signal)
    const address = await this.externalAddress(signal)
    return leaseOf(PROTOCOL, { address, port: externalPort, seconds: LIFETIME_SECONDS })
  }

  async unmap(port: number, signal: AbortSignal): Promise<void> {
    const externalPort = this.#asked.get(port)
    if (externalPort === undefined) return
    this.#asked.delete(port)
    await this.#act('DeletePortMapping', this.#mapping(externalPort), undefined, signal)
  }

  /**
   * Adds or renews a mapping. If another host has the external port, it uses another port. Resolves with the
   * port.
   */
  async #add(port: number, wanted: number, signal: AbortSignal): Promise<number> {
    let externalPort = wanted
    let seconds = LIFETIME_SECONDS
    for (let left = MAX_PORTS_TRIED; ; left--) {
      try {
        await this.#addOnce(port, externalPort, seconds, signal)
        return externalPort
      } catch (error) {
        if (!(error instanceof MappingRefusedError) || left === 1) throw error
        if (error.code === CONFLICT) externalPort = randomInt(...DYNAMIC_PORTS)
        else if (error.code === PERMANENT_LEASES_ONLY && seconds > 0) seconds = 0
        else if (error.code === SAME_PORTS_ONLY && externalPort !== port) externalPort = port
        else throw error
      }
    }
  }

  async #addOnce(port: number, externalPort: number, seconds: number, signal: AbortSignal): Promise<void> {
    const args = {
      ...this.#mapping(externalPort),
      NewInternalPort: String(port),
      NewInternalClient: this.#ownAddress,
      NewEnabled: '1',
      NewPortMappingDescription: 'throughnat',
      NewLeaseDuration: String(seconds),
    }
    this.#asked.set(port, externalPort)
    try {
      await this.#act('AddPortMapping', args, undefined, signal)
    } catch (error) {
      // a refused mapping belongs to another host and must not be removed
      if (error instanceof MappingRefusedError) this.#asked.delete(port)
      throw error
    }
  }

  #mapping(externalPort: number): Record<string, string> {
    return { NewRemoteHost: '', NewExternalPort: String(externalPort), NewProtocol: 'TCP' }
  }

  /** Runs an action. Resolves with one value of its answer. */
  async #act(
    action: string,
    args: Readonly<Record<string, string>>,
    result: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { type, control } = this.#service
    const headers = { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: `"${type}#${action}"` }
    const body = writeAction(type, action, args)
    const request = { method: 'POST', headers, body, localAddress: this.#ownAddress } as const
    const { status, text } = await fetchBounded(control, request, signal)
    if (status !== 200) throw new MappingRefusedError(PROTOCOL, Number(leaf(text, 'errorCode') ?? status))
    return result === undefined ? undefined : leaf(text, result)
  }
}
