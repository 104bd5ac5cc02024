/**
 * PCP, as far as a client that maps its own TCP ports needs it: the opcodes ANNOUNCE and MAP.
 *
 * No package on npm supports PCP. A gateway that supports only NAT-PMP answers with version 0 (RFC 6887
 * section 9). That ends the search for PCP immediately. The parallel search for NAT-PMP finds that gateway
 * (appendix A).
 * Spec: https://www.rfc-editor.org/rfc/rfc6887
 */

import { randomBytes } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { ask } from './datagrams.ts'
import { LIFETIME_SECONDS, MappingRefusedError, leaseOf } from './mapper.ts'
import type { Lease, Mapper, Network } from './mapper.ts'

const PROTOCOL = 'pcp'
const VERSION = 2
/** Section 14.1: it requests nothing, and every server answers it. */
const OP_ANNOUNCE = 0
const OP_MAP = 1
/** Section 7.2: the highest bit of the opcode marks an answer. */
const ANSWER = 0x80
/** Section 11.1: the protocol number of TCP, as assigned by IANA. */
const TCP = 6
/** Sections 7.1 and 11.1. */
const HEADER_BYTES = 24
const MAP_BYTES = HEADER_BYTES + 36
const NONCE_BYTES = 12
/** Section 7: no message is longer than 1100 octets, and the length of each is a multiple of 4. */
const MAX_BYTES = 1100

/** What this client requests from the gateway. */
export interface MapRequest {
  /** The internal endpoint: the address that the request is sent from, and a port there. */
  readonly address: string
  readonly port: number
  /**
   * Section 11.2: 96 random bits. They stay the same while the mapping lives, so that nobody else can end it.
   */
  readonly nonce: Uint8Array
  /** The requested lifetime. 0 removes the mapping. */
  readonly seconds: number
  /** The lease to request again, if one was granted before. */
  readonly held?: Lease | undefined
}

/**
 * Checks whether the gateway supports PCP, which changes nothing on it.
 *
 * @throws if it does not
 */
export async function findPcp({ gateway }: Network, signal: AbortSignal): Promise<Mapper> {
  if (gateway === undefined) throw new Error('no gateway is known')
  await ask({ gateway, write: writeAnnounce, read: readAnnounce }, signal)
  return new Pcp(gateway)
}

class Pcp implements Mapper {
  readonly protocol = PROTOCOL
  readonly #gateway: string
  readonly #nonce = randomBytes(NONCE_BYTES)

  constructor(gateway: string) {
    this.#gateway = gateway
  }

  async map(port: number, held: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    return leaseOf(PROTOCOL, await this.#ask({ port, held, seconds: LIFETIME_SECONDS }, signal))
  }

  async unmap(port: number, signal: AbortSignal): Promise<void> {
    await this.#ask({ port, seconds: 0 }, signal)
  }

  async #ask(request: Omit<MapRequest, 'address' | 'nonce'>, signal: AbortSignal): Promise<MapAnswer> {
    const nonce = this.#nonce
    return ask(
      {
        gateway: this.#gateway,
        write: address => writeMap({ ...request, address, nonce }),
        read: datagram => readMap(datagram, { port: request.port, nonce }),
      },
      signal,
    )
  }
}

/** Section 7.1: version, opcode, reserved, lifetime, the client's address. */
function writeHeader(bytes: number, operation: number, seconds: number, address: string): Buffer {
  const request = Buffer.alloc(bytes)
  request[0] = VERSION
  request[1] = operation
  request.writeUInt32BE(seconds, 4)
  request.set(mapped(address), 8)
  return request
}

function writeAnnounce(address: string): Uint8Array {
  return writeHeader(HEADER_BYTES, OP_ANNOUNCE, 0, address)
}

/** Section 11.1. */
export function writeMap({ address, port, nonce, seconds, held }: MapRequest): Uint8Array {
  const request = writeHeader(MAP_BYTES, OP_MAP, seconds, address)
  request.set(nonce, 24)
  request[36] = TCP
  request.writeUInt16BE(port, 40)
  // section 11.3: a request that removes a mapping suggests no port
  request.writeUInt16BE(seconds === 0 ? 0 : (held?.externalPort ?? port), 42)
  request.set(mapped(held?.externalAddress ?? '0.0.0.0'), 44)
  return request
}

/** Any well-formed answer proves a PCP server, even "unsupported opcode". */
function readAnnounce(datagram: Uint8Array): true | undefined {
  return readHeader(datagram, OP_ANNOUNCE) === undefined ? undefined : true
}

/** The fields of a granted mapping. */
export interface MapAnswer {
  address: string
  port: number
  seconds: number
}

/**
 * Reads an answer to this request. `undefined` for other datagrams. Section 11.4: protocol, internal port and
 * nonce must match.
 *
 * @throws {MappingRefusedError} if the gateway refuses
 */
export function readMap(
  datagram: Uint8Array,
  { port, nonce }: Pick<MapRequest, 'port' | 'nonce'>,
): MapAnswer | undefined {
  const answer = readHeader(datagram, OP_MAP)
  if (answer === undefined) return undefined
  // a server that does not know the opcode may answer without its fields
  const isWhole = answer.length >= MAP_BYTES
  if (isWhole && !isFor(answer, port, nonce)) return undefined
  const code = answer[3] ?? 0
  if (code !== 0) throw new MappingRefusedError(PROTOCOL, code)
  if (!isWhole) return undefined
  return {
    address: plain(answer.subarray(44, 60)),
    port: answer.readUInt16BE(42),
    seconds: answer.readUInt32BE(4),
  }
}

function isFor(answer: Buffer, port: number, nonce: Uint8Array): boolean {
  return (
    answer.subarray(24, 24 + NONCE_BYTES).equals(nonce) &&
    answer[36] === TCP &&
    answer.readUInt16BE(40) === port
  )
}

/**
 * Section 8.3: drops datagrams that are too short, too long, of another version, or not an answer to this
 * opcode.
 */
function readHeader(datagram: Uint8Array, operation: number): Buffer | undefined {
  const answer = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  if (isOtherVersion(answer, operation)) throw new MappingRefusedError(PROTOCOL, UNSUPPORTED_VERSION)
  if (answer.length < HEADER_BYTES || answer.length > MAX_BYTES || answer.length % 4 !== 0) return undefined
  return answer[0] === VERSION && answer[1] === ANSWER + operation ? answer : undefined
}

/** Sections 7.4 and 9: the result code of a server of another version, including NAT-PMP with version 0. */
const UNSUPPORTED_VERSION = 1

function isOtherVersion(answer: Buffer, operation: number): boolean {
  if (answer.length < 4 || answer[0] === VERSION || answer[1] !== ANSWER + operation) return false
  // the result code is the fourth byte in PCP, and the third and fourth in NAT-PMP
  return answer[3] === UNSUPPORTED_VERSION
}

/** Section 5: an IPv4 address is written as an IPv4-mapped IPv6 address. */
function mapped(address: string): number[] {
  return ipaddr.IPv4.parse(address).toIPv4MappedAddress().toByteArray()
}

function plain(bytes: Uint8Array): string {
  return ipaddr.process(ipaddr.fromByteArray([...bytes]).toString()).toString()
}
