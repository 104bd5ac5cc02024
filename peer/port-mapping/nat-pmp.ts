/**
 * NAT-PMP, the predecessor of PCP: twelve bytes ask for a mapping, two for the external address.
 *
 * `@achingbrain/nat-port-mapper` 4.0.5 supports it too, and is not used: one short datagram to its port 5350,
 * from any host, ends the process. It never repeats a lost datagram, and its `stop` leaves the mapping
 * behind.
 * Spec: https://www.rfc-editor.org/rfc/rfc6886#section-3
 */

import { ask } from './datagrams.ts'
import { LIFETIME_SECONDS, MappingRefusedError, leaseOf } from './mapper.ts'
import type { Lease, Mapper, Network } from './mapper.ts'

const PROTOCOL = 'nat-pmp'
const VERSION = 0
const OP_EXTERNAL_ADDRESS = 0
const OP_MAP_TCP = 2
/** Section 3.1: the opcode of an answer is the opcode of the question plus 128. */
const ANSWER = 128
/** Section 3.2: a refusal may end after the epoch. */
const HEADER_BYTES = 8

/**
 * Asks the gateway for its external address, which changes nothing on it.
 *
 * @throws if the gateway does not answer
 */
export async function findNatPmp({ gateway }: Network, signal: AbortSignal): Promise<Mapper> {
  if (gateway === undefined) throw new Error('no gateway is known')
  await ask({ gateway, write: writeAddressRequest, read: readExternalAddress }, signal).catch(refusedButThere)
  return new NatPmp(gateway)
}

/**
 * Section 3.5: a gateway without an external address answers with this code, and may get an address later.
 */
function refusedButThere(error: Error): void {
  const NETWORK_FAILURE = 3
  if (!(error instanceof MappingRefusedError && error.code === NETWORK_FAILURE)) throw error
}

class NatPmp implements Mapper {
  readonly protocol = PROTOCOL
  readonly #gateway: string

  constructor(gateway: string) {
    this.#gateway = gateway
  }

  async map(port: number, held: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    const gateway = this.#gateway
    const request = writeMapRequest(port, held?.externalPort ?? port, LIFETIME_SECONDS)
    const mapped = await ask({ gateway, write: () => request, read: it => readMapping(it, port) }, signal)
    const address = await ask({ gateway, write: writeAddressRequest, read: readExternalAddress }, signal)
    return leaseOf(PROTOCOL, { address, ...mapped })
  }

  async unmap(port: number, signal: AbortSignal): Promise<void> {
    // section 3.4: the suggested external port and the lifetime are zero
    const request = writeMapRequest(port, 0, 0)
    await ask({ gateway: this.#gateway, write: () => request, read: it => readMapping(it, port) }, signal)
  }
}

function writeAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, OP_EXTERNAL_ADDRESS)
}

/** Section 3.3. */
export function writeMapRequest(port: number, externalPort: number, seconds: number): Uint8Array {
  const request = Buffer.alloc(12)
  request[1] = OP_MAP_TCP
  request.writeUInt16BE(port, 4)
  request.writeUInt16BE(externalPort, 6)
  request.writeUInt32BE(seconds, 8)
  return request
}

/** Reads an answer to a request for the external address (section 3.2). `undefined` for other datagrams. */
export function readExternalAddress(datagram: Uint8Array): string | undefined {
  const answer = readHeader(datagram, OP_EXTERNAL_ADDRESS, 12)
  return answer?.subarray(8, 12).join('.')
}

/** Reads an answer to a request for this port (section 3.3). `undefined` for other datagrams. */
export function readMapping(
  datagram: Uint8Array,
  port: number,
): { port: number; seconds: number } | undefined {
  const answer = readHeader(datagram, OP_MAP_TCP, 16)
  if (answer === undefined || answer.readUInt16BE(8) !== port) return undefined
  return { port: answer.readUInt16BE(10), seconds: answer.readUInt32BE(12) }
}

function readHeader(datagram: Uint8Array, operation: number, bytes: number): Buffer | undefined {
  const answer = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  if (answer.length < HEADER_BYTES || answer[0] !== VERSION || answer[1] !== ANSWER + operation)
    return undefined
  const code = answer.readUInt16BE(2)
  if (code !== 0) throw new MappingRefusedError(PROTOCOL, code)
  return answer.length < bytes ? undefined : answer
}
