/**
 * Kinds for what a peer exposes: named services, and who may reach them.
 *
 * Access is always spelled out. Leaving out the peer is an error and not a way of saying "anyone".
 */

import type { PeerId } from '@libp2p/interface'
import { isPeerId } from '@libp2p/interface'
import type { HostPort } from './addresses.ts'
import { examplePeerId, isHostPort, parseHostPort, parsePeerId, printHostPort } from './addresses.ts'
import type { Kind } from './kind.ts'

const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/
const nameRule = 'the name takes 1 to 32 lower-case letters, digits and hyphens, and starts with no hyphen'

/** A TCP service on or near this machine, under the name by which remote peers ask for it. */
export interface NamedService extends HostPort {
  /** 1 to 32 characters: lower-case letters, digits, hyphens. */
  readonly name: string
}

/** Opens a named service to one peer or to everyone. */
export interface AllowRule {
  /** The name of the service. */
  readonly name: string
  readonly peer: PeerId | 'anyone'
}

/** `NAME=HOST:PORT`. */
export const serviceKind: Kind<NamedService> = {
  noun: 'a named service',
  placeholder: 'NAME=HOST:PORT',
  example: 'web=127.0.0.1:8080',
  parse(text) {
    const [name, place] = splitNamed(text, 'NAME=HOST:PORT')
    return Object.freeze({ name, ...parseHostPort(place, 1) })
  },
  accepts: (value): value is NamedService => isHostPort(value) && value.port > 0 && hasName(value),
  print: service => `${service.name}=${printHostPort(service)}`,
}

/** `NAME=PEER` or `NAME=anyone`. */
export const allowRuleKind: Kind<AllowRule> = {
  noun: 'an allow rule',
  placeholder: 'NAME=PEER|anyone',
  example: `web=${examplePeerId}`,
  parse(text) {
    const [name, peer] = splitNamed(text, 'NAME=PEER or NAME=anyone')
    return Object.freeze({ name, peer: peer === 'anyone' ? peer : parsePeerId(peer) })
  },
  accepts: (value): value is AllowRule => hasName(value) && 'peer' in value && isPeerOrAnyone(value.peer),
  print: rule => `${rule.name}=${rule.peer.toString()}`,
}

function splitNamed(text: string, form: string): [name: string, rest: string] {
  const at = text.indexOf('=')
  if (at === -1) throw new Error(`expected ${form}`)
  const name = text.slice(0, at)
  if (!namePattern.test(name)) throw new Error(nameRule)
  return [name, text.slice(at + 1)]
}

function hasName(value: unknown): value is { name: string } {
  return (
    typeof value === 'object' && value !== null && 'name' in value && namePattern.test(String(value.name))
  )
}

function isPeerOrAnyone(value: unknown): boolean {
  return value === 'anyone' || isPeerId(value)
}
