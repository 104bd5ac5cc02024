/**
 * The PROXY protocol header, version 2. It tells a local service which peer a connection comes from.
 *
 * For a direct peer it contains the peer's address. A relayed peer, or one that was dialled by name, has no
 * address that this side knows. Its header is UNSPEC, which a service treats as a local connection. The peer
 * id is always in its own field, and services should decide access by it.
 * Spec: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2
 */

import { isIP, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { endpointOf } from '../../../src/addresses/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ServiceAddress } from './service-rules.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const VERSION_2_PROXY = 0x21
const UNSPEC = 0x00
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21

/**
 * The field of the peer id, as base58 text. It is the first field reserved for applications
 * (`PP2_TYPE_MIN_CUSTOM`).
 */
const PEER_ID_TLV = 0xe0

/** The peer that a connection comes from. */
export interface ProxiedPeer {
  peerId: string
  /** The peer that it acts for, whose id the header contains instead. */
  principal?: string
  /** The peer's address. `undefined` if it is connected through a relay. */
  remoteAddr: Multiaddr | undefined
}

/** Writes the header for a connection to `service`. */
export function encodeProxyHeader(
  { peerId, principal = peerId, remoteAddr }: ProxiedPeer,
  service: ServiceAddress,
): Uint8Array {
  const [family, addresses] = encodeAddresses(remoteAddr, service)
  const id = Buffer.from(principal)
  const tlv = Buffer.concat([Buffer.of(PEER_ID_TLV, id.length >> 8, id.length & 0xff), id])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(addresses.length + tlv.length)
  return Buffer.concat([SIGNATURE, Buffer.of(VERSION_2_PROXY, family), length, addresses, tlv])
}

function encodeAddresses(remoteAddr: Multiaddr | undefined, service: ServiceAddress): [number, Buffer] {
  if (remoteAddr === undefined) return [UNSPEC, Buffer.alloc(0)]
  const { host, port } = endpointOf(remoteAddr)
  if (isIP(host) === 0) return [UNSPEC, Buffer.alloc(0)]
  const isSameFamily = isIPv6(host) ? isIPv6 : isIPv4
  const to = 'path' in service ? { host: '', port: 0 } : service
  const unspecified = isIPv6(host) ? '::' : '0.0.0.0'
  const destination = isSameFamily(to.host) ? to.host : unspecified
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(port, 0)
  ports.writeUInt16BE(to.port, 2)
  const bytes = [host, destination].map(it => Buffer.from(ipaddr.parse(it).toByteArray()))
  return [isIPv6(host) ? TCP_OVER_IPV6 : TCP_OVER_IPV4, Buffer.concat([...bytes, ports])]
}
