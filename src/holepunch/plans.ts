/** What this side of an upgrade offers to the remote, and which of the remote's addresses it dials. */

import { HolePunchFailedError } from '../errors.ts'
import { hasWay, isPrivate, offerTo, publicCandidates } from './candidates.ts'
import { reachableCandidates, RemoteCandidates } from './candidates.ts'
import { insideRule } from './inside.ts'
import { choosePlan } from './strategies/choose-plan.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AcceptOptions, LocalAddresses } from './candidates.ts'
import type { PunchRole } from './events.ts'
import type { ExchangeInit, RemoteOffer } from './exchange.ts'
import type { Plan } from './strategies/strategy.ts'
import type { UpgradeContext } from './upgrade-context.ts'

type Offer = ReturnType<ExchangeInit<unknown>['offer']>

/** What the plans of one upgrade are made from. */
export interface PlansInit extends Pick<UpgradeContext, 'isNamed' | 'lossyPaths' | 'relayOf'> {
  circuit: Connection
  role: PunchRole
}

/** The plans of one upgrade. */
export class Plans {
  /** True if this node has chosen the remote: it has dialled it, or a rule names it. */
  readonly isChosen: boolean
  /** Which of the remote's addresses may be dialled at all. */
  readonly accept: AcceptOptions
  readonly #init: PlansInit

  constructor(init: PlansInit) {
    const { circuit, role, isNamed, lossyPaths, relayOf } = init
    const { remotePeer } = circuit
    this.#init = init
    this.isChosen = role === 'initiator' || isNamed(remotePeer)
    this.accept = {
      isLossy: addr => lossyPaths.has(remotePeer, addr),
      isInside: insideRule({ isChosen: this.isChosen, relay: relayOf(circuit) }),
      sharesNetwork: this.isChosen,
    }
  }

  /** What to offer. `theirs` is undefined for the responder, which offers first. */
  offer(local: LocalAddresses, theirs: RemoteOffer | undefined): Offer {
    const remote = RemoteCandidates.from(theirs?.addrs ?? [], local, this.accept)
    return { addrs: offerTo(local, remote), reachable: reachableCandidates(local) }
  }

  /**
   * True if the remote's answer to this node's offer has nothing to add to what it has offered before. Peers behind one NAT
   * add their private addresses, and a path that does not carry data is for both sides to refuse.
   */
  isComplete(local: LocalAddresses, { addrs }: RemoteOffer): boolean {
    const { role } = this.#init
    const remote = RemoteCandidates.from(addrs, local, this.accept)
    const plan = choosePlan({ source: 'exchange', role, local, remote })
    return plan?.strategy === 'simultaneous-open' && !remote.hasLossy && publicCandidates(local).length > 0
  }

  /** What to offer before the remote has asked; undefined if the exchange decides whether there is a way. */
  earlyOffer(local: LocalAddresses): Offer | undefined {
    const { circuit, lossyPaths } = this.#init
    const offer = this.offer(local, undefined)
    return offer.addrs.length === 0 || lossyPaths.hasAny(circuit.remotePeer) ? undefined : offer
  }

  /**
   * Chooses what to do with the remote's offer. Returns the plan for the moment at which both sides dial.
   *
   * @param listed - the addresses that the remote has listed in identify by then
   * @throws {HolePunchFailedError} `lossy-path` or `no-remote-candidates`
   */
  choose(local: LocalAddresses, { addrs }: RemoteOffer, listed: () => readonly Multiaddr[]): () => Plan {
    const { circuit, lossyPaths, role } = this.#init
    lossyPaths.remoteOffers(circuit.remotePeer, addrs)
    const remote = RemoteCandidates.from(addrs, local, this.accept)
    const plan = choosePlan({ source: 'exchange', role, local, remote })
    if (remote.hasLossy && !hasWay(plan?.candidates ?? [], local)) throw this.#error('lossy-path')
    if (plan === undefined) throw this.#error('no-remote-candidates')
    if (role === 'responder') return () => plan
    // A responder offers first, and does not dial a stranger's private addresses: this node dials the responder's.
    return () => {
      const all = RemoteCandidates.from([...addrs, ...listed().filter(isPrivate)], local, this.accept)
      return choosePlan({ source: 'exchange', role, local, remote: all }) ?? plan
    }
  }

  #error(reason: HolePunchFailedError['reason']): HolePunchFailedError {
    return new HolePunchFailedError(reason, this.#init.circuit.remotePeer.toString())
  }
}
