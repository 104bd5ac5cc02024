/**
 * The kinds that an option table can name, and the plain ones among them: text, paths, switches, choices.
 *
 * A table names a kind by a word of {@link KindValues}, or brings a {@link Kind} of its own.
 */

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HostPort } from './address-kinds.ts'
import { hostPortKind, multiaddrKind, peerIdKind, relayAddrKind } from './address-kinds.ts'
import type { Kind } from './kind.ts'
import { expandPath } from '../paths.ts'
import { durationKind, integerKind, portKind, rateKind, sizeKind } from './quantities.ts'

/** What each named kind resolves to. */
export interface KindValues {
  string: string
  /** An absolute path. */
  path: string
  boolean: boolean
  integer: number
  /** Milliseconds. */
  duration: number
  /** Bytes. */
  size: number
  /** Bytes per second. */
  rate: number
  port: number
  'host-port': HostPort
  multiaddr: Multiaddr
  'relay-addr': Multiaddr
  'peer-id': PeerId
}

const stringKind: Kind<string> = {
  noun: 'a text',
  placeholder: 'TEXT',
  example: 'text',
  parse: text => text,
}

const pathKind: Kind<string> = {
  noun: 'a path',
  placeholder: 'PATH',
  example: './data',
  parse: (text, place) => expandPath(text, place),
}

const booleanKind: Kind<boolean> = {
  noun: 'true or false',
  placeholder: '',
  example: 'true',
  parse(text) {
    const word = text.toLowerCase()
    if (word === 'true' || word === '1') return true
    if (word === 'false' || word === '0') return false
    throw new Error('expected true, false, 1 or 0')
  },
}

/** The kinds by name. */
export const namedKinds: { readonly [N in keyof KindValues]: Kind<KindValues[N]> } = {
  string: stringKind,
  path: pathKind,
  boolean: booleanKind,
  integer: integerKind,
  duration: durationKind,
  size: sizeKind,
  rate: rateKind,
  port: portKind,
  'host-port': hostPortKind,
  multiaddr: multiaddrKind,
  'relay-addr': relayAddrKind,
  'peer-id': peerIdKind,
}

/** Makes the kind of an option that takes one word out of a few. */
export function choiceKind(choices: readonly string[]): Kind<string> {
  return {
    noun: `one of ${choices.join(', ')}`,
    placeholder: choices.join('|'),
    example: choices[0] ?? '',
    parse(text) {
      if (!choices.includes(text)) throw new Error()
      return text
    },
  }
}
