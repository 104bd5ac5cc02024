/**
 * Which encryption this node proposes on a TCP socket that it dials: TLS, unless the remote has refused it before.
 *
 * The proposal and the first message of its handshake leave together, so only one can be proposed. If the remote refuses
 * it, the socket is of no more use: the same address is dialled again with the next. What a peer has agreed to last is
 * tried first from then on.
 */

import QuickLRU from 'quick-lru'
import { CODE_P2P } from '@multiformats/multiaddr'
import { runsOnSockets } from './tls.ts'
import type { Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Peers of which it is remembered what they agreed to. */
const MAX_PEERS = 1_024

/** The choices of one node. */
export class EncryptionChoice {
  /** The encryptions that are proposed on a socket, the preferred one first. Undefined if the node leaves it to libp2p. */
  readonly names: readonly string[] | undefined
  readonly #agreed = new QuickLRU<string, string>({ maxSize: MAX_PEERS })

  constructor(upgrader: Upgrader) {
    const encrypters = [...upgrader.getConnectionEncrypters()]
    const preferred = encrypters.find(([, encrypter]) => runsOnSockets(encrypter))
    if (preferred === undefined) return
    const [first] = preferred
    this.names = [first, ...encrypters.map(([name]) => name).filter(it => it !== first)]
  }

  /** What to propose to a remote that is dialled: one at a time, in this order. */
  order(addr: Multiaddr): readonly string[] | undefined {
    const agreed = this.#agreed.get(keyOf(addr))
    if (this.names === undefined || agreed === undefined) return this.names
    return [agreed, ...this.names.filter(it => it !== agreed)]
  }

  /**
   * What to propose on a socket that cannot be dialled again: one if the remote speaks it for sure, otherwise all.
   *
   * @param offered - what the remote has said it speaks
   */
  proposals(addr: Multiaddr, offered: readonly string[]): readonly string[] | undefined {
    const certain = this.names?.find(it => offered.includes(it)) ?? this.#agreed.get(keyOf(addr))
    return certain === undefined ? this.names : [certain]
  }

  /** Notes what a remote has agreed to. */
  note(addr: Multiaddr, encryption: string | undefined): void {
    if (encryption !== undefined && this.names?.includes(encryption) === true)
      this.#agreed.set(keyOf(addr), encryption)
  }
}

function keyOf(addr: Multiaddr): string {
  return addr.getComponents().findLast(({ code }) => code === CODE_P2P)?.value ?? addr.toString()
}

const choices = new WeakMap<Upgrader, EncryptionChoice>()

/** The choices of the node that has this upgrader. */
export function encryptionChoice(upgrader: Upgrader): EncryptionChoice {
  const known = choices.get(upgrader)
  if (known !== undefined) return known
  const made = new EncryptionChoice(upgrader)
  choices.set(upgrader, made)
  return made
}
