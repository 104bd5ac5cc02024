/**
 * Inbound sockets that somebody waits for: a punch that arrives at the listener instead of meeting ours half way.
 *
 * When a NAT lets in more than the exact endpoint that was dialled, the remote's SYN reaches the listener that shares
 * the punch port. Whoever punches must get that socket, since the role above TCP comes from DCUtR and not from who
 * accepted. A claim names the remote hosts it waits for; the exact endpoint goes before the host alone, because several
 * peers can be behind one address.
 *
 * A remote can name the endpoint of another one, whose socket is lost then. So a claim that has been given a socket goes to
 * the end of the queue, it loses the host when the socket was another peer's, and others have turns (host-turns.ts).
 */

import { HostTurns } from './host-turns.ts'
import type { MultiaddrConnection } from '@libp2p/interface'

/** What one punch waits for. */
export interface InboundClaim {
  /** True if a socket from this host and port is certainly the one. */
  matchesEndpoint(host: string, port: number): boolean
  /** True if a socket from this host may be the one: its NAT may have picked another port for us. */
  matchesHost(host: string): boolean
  /**
   * Takes the socket over. Whatever happens to it from here is the claimant's business. Resolves with whether the peer
   * that is waited for has proved to be at its other end; undefined if that was not found out.
   */
  take(socket: MultiaddrConnection): Promise<boolean | undefined>
}

/** The claims of one node. */
export class InboundClaims {
  /** Each with the hosts that it has lost. The one that was given a socket last stands last. */
  readonly #claims = new Map<InboundClaim, Set<string>>()
  readonly #turns: HostTurns

  constructor(turns: HostTurns = new HostTurns()) {
    this.#turns = turns
  }

  /** Adds a claim; returns the function that withdraws it. */
  add(claim: InboundClaim): () => void {
    this.#claims.set(claim, new Set())
    return () => {
      this.#claims.delete(claim)
    }
  }

  /** The claim on a socket from this endpoint, if somebody waits for it. */
  find(host: string, port: number): InboundClaim | undefined {
    const claims = [...this.#claims].filter(([, lost]) => !lost.has(host)).map(([claim]) => claim)
    const claim = claims.find(it => it.matchesEndpoint(host, port)) ?? claims.find(it => it.matchesHost(host))
    const lost = claim === undefined ? undefined : this.#claims.get(claim)
    if (claim === undefined || lost === undefined) return undefined
    this.#claims.delete(claim)
    this.#claims.set(claim, lost)
    return claim
  }

  /** Hands a socket to the claim on it. False if nobody waits for it, or if it is the turn of others. */
  offer(socket: MultiaddrConnection, host: string, port: number): boolean {
    const claim = this.find(host, port)
    if (claim === undefined || !this.#turns.take(host)) return false
    void this.#hand(socket, claim, host)
    return true
  }

  async #hand(socket: MultiaddrConnection, claim: InboundClaim, host: string): Promise<void> {
    const isRight = await claim.take(socket)
    if (isRight === true) this.#turns.right(host)
    if (isRight !== false) return
    this.#claims.get(claim)?.add(host)
    this.#turns.wrong(host)
  }
}
