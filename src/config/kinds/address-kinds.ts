/**
 * Kinds that name a place on a network: hosts with ports, multiaddrs, relays and peer ids.
 *
 * What passes here can be used: a multiaddr's peer ids and host names are checked too, which
 * `@multiformats/multiaddr` leaves to whoever dials it.
 */

import { isIPv4, isIPv6 } from 'node:net'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { TCP, WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { isCircuit } from '../../addresses/circuit.ts'
import { parseMultiaddr, parsePeerId } from '../../addresses/peer-id.ts'
import type { Kind } from './kind.ts'
import { parsePort } from './quantities.ts'

/** A peer id for examples and documentation; nobody holds its key. */
export const examplePeerId = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

/** Where to listen or connect with plain TCP. */
export interface HostPort {
  /** An IPv4 address, an IPv6 address without brackets, or a host name. */
  readonly host: string
  /** 0 to 65535. */
  readonly port: number
}

/** `HOST:PORT`, with IPv6 in brackets. The host is never left out: that it means "everywhere" is easily missed. */
export const hostPortKind: Kind<HostPort> = {
  noun: 'a host and port',
  placeholder: 'HOST:PORT',
  example: '127.0.0.1:8080',
  parse: text => parseHostPort(text, 0),
  print: printHostPort,
}

/** Any multiaddr with at least one component. */
export const multiaddrKind: Kind<Multiaddr> = {
  noun: 'a multiaddr',
  placeholder: 'MA',
  example: '/ip4/192.0.2.1/tcp/4001',
  parse: parseAddr,
}

/** The multiaddr of a relay: TCP or WebSocket that can be dialled, and the relay's peer id at the end. */
export const relayAddrKind: Kind<Multiaddr> = {
  noun: 'the address of a relay',
  placeholder: 'MA',
  example: `/ip4/192.0.2.1/tcp/4001/p2p/${examplePeerId}`,
  parse(text) {
    const addr = parseAddr(text)
    const fault = relayAddrFault(addr)
    if (fault !== undefined) throw new Error(fault)
    return addr
  },
}

/** A libp2p peer id in any of its text forms. */
export const peerIdKind: Kind<PeerId> = {
  noun: 'a peer id',
  placeholder: 'PEER',
  example: examplePeerId,
  parse: parsePeerId,
}

/**
 * Reads `HOST:PORT`.
 *
 * @throws {Error} when the host is missing or malformed, or the port is not from `lowestPort` to 65535
 */
export function parseHostPort(text: string, lowestPort: 0 | 1): HostPort {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^[\]]*)):([^:]*)$/.exec(text) ?? []
  if (port === undefined) throw new Error('expected HOST:PORT')
  if (plain === '') {
    throw new Error(
      `the host is missing, write 127.0.0.1${text} for this machine only or 0.0.0.0${text} for all`,
    )
  }
  if (bracketed !== undefined && !isIPv6(bracketed))
    throw new Error('expected an IPv6 address in the brackets')
  if (plain !== undefined && /^[0-9a-f.]*:[0-9a-f.:]*$/i.test(plain)) {
    throw new Error('an IPv6 address needs brackets, as in [::1]:8080')
  }
  const host = bracketed ?? plain ?? ''
  if (bracketed === undefined && !isHost(host))
    throw new Error('the host is neither an IPv4 address nor a name')
  return Object.freeze({ host, port: parsePort(port, lowestPort) })
}

/** Writes a host and port the way {@link parseHostPort} reads them. */
export function printHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** RFC 1123 names; underscores too, since container networks hand out names that have them. */
function isHost(text: string): boolean {
  if (isIPv4(text)) return true
  // A name whose last label is a number is a mistyped IPv4 address.
  if (text.length > 253 || /(^|\.)\d+\.?$/.test(text)) return false
  return /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?$/i.test(text)
}

function parseAddr(text: string): Multiaddr {
  if (!text.startsWith('/')) throw new Error('it must start with a slash')
  const addr = parseMultiaddr(text)
  const components = addr.getComponents()
  if (components.length === 0) throw new Error('it names no address')
  for (const { name, value } of components) {
    if (name.startsWith('dns') && !isHost(value ?? '')) throw new Error('it has a malformed host name')
  }
  return addr
}

/**
 * Completes "the address of a relay: ..." with what is wrong; undefined when it can be dialled.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md (an explicit relay address).
 */
export function relayAddrFault(addr: Multiaddr): string | undefined {
  const components = addr.getComponents()
  if (isCircuit(addr)) return 'expected the relay itself, without /p2p-circuit and what follows'
  // a name stands for addresses with the peer id
  if (components[0]?.name === 'dnsaddr') return undefined
  if (components.at(-1)?.name !== 'p2p') return 'it must end in /p2p/ and the peer id of the relay'
  if (![TCP, WebSockets, WebSocketsSecure].some(it => it.exactMatch(addr))) {
    return 'only TCP can be dialled: /ip4, /ip6 or a /dns name, then /tcp/PORT, and /ws or /tls/ws for WebSocket'
  }
  if (components.some(({ name, value }) => name === 'tcp' && value === '0')) return 'port 0 cannot be dialled'
  if (components.some(({ value }) => value === '0.0.0.0' || value === '::')) {
    return 'it must be an address of the relay, and this one stands for all addresses of a machine'
  }
  return undefined
}
