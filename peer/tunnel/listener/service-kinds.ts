/**
 * Option kinds for the services that a peer exposes, and for who may reach them.
 *
 * Invariant: access is always explicit. A rule without a peer is an error and does not mean "anyone".
 */

import type { PeerId } from '@libp2p/interface'
import type { HostPort } from '../../../src/config/kinds/address-kinds.ts'
import { examplePeerId, parseHostPort, printHostPort } from '../../../src/config/kinds/address-kinds.ts'
import { parsePeerId } from '../../../src/addresses/peer-id.ts'
import type { Kind, ReadingPlace } from '../../../src/config/kinds/kind.ts'
import { expandPath, MAX_SOCKET_PATH_BYTES } from '../../../src/config/paths.ts'

const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/
const peerNamePattern = /^[a-z][a-z0-9.-]{0,31}$/
const UNIX = 'unix:'
const nameRule = 'a name has 1 to 32 lower-case letters, digits and hyphens, and does not start with a hyphen'

/** A Unix socket, by its absolute path. */
export interface UnixSocket {
  readonly path: string
}

/** A service on or near this machine, with the name that remote peers request. */
export type NamedService = (HostPort | UnixSocket) & {
  /** 1 to 32 characters: lower-case letters, digits, hyphens. */
  readonly name: string
}

/** Opens a service to one peer, or to everyone. */
export interface AllowRule {
  /** The name of the service. */
  readonly name: string
  /** A peer id, the word `anyone`, or a name from the user's file of names, which is not resolved yet. */
  readonly peer: PeerId | string
}

/** `NAME=HOST:PORT` or `NAME=unix:PATH`. */
export const serviceKind: Kind<NamedService> = {
  noun: 'a named service',
  placeholder: 'NAME=HOST:PORT|unix:PATH',
  example: 'web=127.0.0.1:8080',
  parse(text, at) {
    const [name, place] = splitNamed(text, 'NAME=HOST:PORT or NAME=unix:PATH')
    if (!place.startsWith(UNIX)) return Object.freeze({ name, ...parseHostPort(place, 1) })
    const path = place.slice(UNIX.length)
    if (path === '') throw new Error('the path of the Unix socket is missing')
    return Object.freeze({ name, path: socketPath(path, at) })
  },
  print: service => `${service.name}=${printPlace(service)}`,
}

/** Writes a service's address in the syntax that {@link serviceKind} reads. */
export function printPlace(place: HostPort | UnixSocket): string {
  return 'path' in place ? UNIX + place.path : printHostPort(place)
}

/** `NAME=PEER` with a peer id or the user's name for it, or `NAME=anyone`. */
export const allowRuleKind: Kind<AllowRule> = {
  noun: 'an allow rule',
  placeholder: 'NAME=PEER|anyone',
  example: `web=${examplePeerId}`,
  parse(text) {
    const [name, peer] = splitNamed(text, 'NAME=PEER or NAME=anyone')
    return Object.freeze({ name, peer: isPeerName(peer) ? peer : parsePeerId(peer) })
  },
  print: rule => `${rule.name}=${rule.peer.toString()}`,
}

/** The name of a service. */
export const serviceNameKind: Kind<string> = {
  noun: 'the name of a service',
  placeholder: 'NAME',
  example: 'web',
  parse(text) {
    if (!isExposableName(text)) throw new Error(nameRule)
    return text
  },
}

/** Tells whether a text can be the name of a service that this peer exposes. */
export function isExposableName(text: string): boolean {
  return namePattern.test(text)
}

/** True if a text can be a user's name for a peer. Peer ids are longer. */
export function isPeerName(text: string): boolean {
  return peerNamePattern.test(text)
}

function socketPath(text: string, place: ReadingPlace): string {
  const path = expandPath(text, place)
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_SOCKET_PATH_BYTES)
    throw new Error(
      `the path of a Unix socket has at most ${MAX_SOCKET_PATH_BYTES} bytes, and ${path} has ${bytes}`,
    )
  return path
}

function splitNamed(text: string, form: string): [name: string, rest: string] {
  const at = text.indexOf('=')
  if (at === -1) throw new Error(`expected ${form}`)
  const name = text.slice(0, at)
  if (!isExposableName(name)) throw new Error(nameRule)
  return [name, text.slice(at + 1)]
}
