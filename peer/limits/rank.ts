/**
 * The ranks of remote peers. Each rank has places of its own, so that strangers, of whom anyone can make many, leave
 * the others theirs.
 */

import { isCircuit } from '../../src/addresses/circuit.ts'
import { EARLY_OFFER_PROTOCOL } from '../../src/holepunch/early-offer.ts'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import { TUNNEL_PROTOCOL } from '../tunnel/wire/protocol.ts'
import type { Connection, PeerId } from '@libp2p/interface'

/**
 * - `named`: a rule of this node names the peer, or this node has chosen it: its relays, and the peers that it dials
 * - `known`: the peer uses something, or did so recently
 * - `stranger`: all others
 */
export type PeerRank = 'named' | 'known' | 'stranger'

/** All ranks, the highest first. */
export const RANKS: readonly PeerRank[] = ['named', 'known', 'stranger']

/** Protocols whose streams are no use of a connection: libp2p's own. */
const UPKEEP_PROTOCOLS: ReadonlySet<string> = new Set([
  '',
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
  '/ipfs/ping/1.0.0',
  '/libp2p/circuit/relay/0.2.0/hop',
  '/libp2p/circuit/relay/0.2.0/stop',
  '/libp2p/autonat/1.0.0',
  '/libp2p/autonat/2/dial-request',
  '/libp2p/autonat/2/dial-back',
  DCUTR_PROTOCOL,
  EARLY_OFFER_PROTOCOL,
])

/** True while the connection has a stream of an application. Requests of a stranger for a service are none. */
export function isInUse({ streams }: Pick<Connection, 'streams'>, rank: PeerRank): boolean {
  return streams.some(
    ({ protocol }) =>
      !UPKEEP_PROTOCOLS.has(protocol) && (protocol !== TUNNEL_PROTOCOL || rank !== 'stranger'),
  )
}

/** What {@link Ranks} asks. */
export interface RanksInit {
  /** What the application says of a peer, by its id. */
  rankOf: ((peerId: string) => PeerRank) | undefined
  /** True for the relays of this node. */
  isRelay: (peerId: string) => boolean
  /** True for peers that this node dials or keeps connected. */
  isChosen: (peerId: string) => boolean
  /** True while a circuit that this peer has dialled is being upgraded. */
  isUpgradedFor: (peerId: PeerId) => boolean
}

/** Ranks the remote peers of one node. */
export class Ranks {
  readonly #init: RanksInit

  constructor(init: RanksInit) {
    this.#init = init
  }

  /**
   * True if the application ranks its peers. If it does not, no peer can be named, so nothing that is idle is closed
   * before places run out.
   */
  get isStrict(): boolean {
    return this.#init.rankOf !== undefined
  }

  /** The rank of a peer, whatever its connections carry. */
  of(peerId: string): PeerRank {
    return this.#init.isRelay(peerId) || this.isChosenPeer(peerId)
      ? 'named'
      : (this.#init.rankOf?.(peerId) ?? 'stranger')
  }

  /**
   * True for a peer that the application names, or that this node dials. A relay is none: it forwards, and has no
   * business in the network of this node.
   */
  isChosenPeer(peerId: string): boolean {
    return this.#init.isChosen(peerId) || this.#init.rankOf?.(peerId) === 'named'
  }

  /**
   * True if this node has dialled the connection of its own accord. Upgrades of a stranger's circuit dial, too, where
   * the stranger wants it.
   */
  isOwnDial({ direction, remoteAddr, remotePeer }: Connection): boolean {
    return direction === 'outbound' && (isCircuit(remoteAddr) || !this.#init.isUpgradedFor(remotePeer))
  }
}
