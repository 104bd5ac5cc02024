/**
 * Inbound sockets that somebody waits for: a punch that arrives at the listener instead of meeting ours half way.
 *
 * When a NAT lets in more than the exact endpoint that was dialled, the remote's SYN reaches the listener that shares
 * the punch port. Whoever punches must get that socket, since the role above TCP comes from DCUtR and not from who
 * accepted. A claim names the remote hosts it waits for; the exact endpoint goes before the host alone, because several
 * peers can be behind one address. A remote can name the endpoint of another one: whoever has been given a socket goes to
 * the end of the queue, so that the other's next one is not lost as well.
 */

import type { MultiaddrConnection } from '@libp2p/interface'

/** What one punch waits for. */
export interface InboundClaim {
  /** True if a socket from this host and port is certainly the one. */
  matchesEndpoint(host: string, port: number): boolean
  /** True if a socket from this host may be the one: its NAT may have picked another port for us. */
  matchesHost(host: string): boolean
  /** Takes the socket over. Whatever happens to it from here is the claimant's business. */
  take(socket: MultiaddrConnection): void
}

/** The claims of one node. */
export class InboundClaims {
  readonly #claims = new Set<InboundClaim>()

  /** Adds a claim; returns the function that withdraws it. */
  add(claim: InboundClaim): () => void {
    this.#claims.add(claim)
    return () => {
      this.#claims.delete(claim)
    }
  }

  /** The claim on a socket from this endpoint, if somebody waits for it. */
  find(host: string, port: number): InboundClaim | undefined {
    const claims = [...this.#claims]
    const claim = claims.find(it => it.matchesEndpoint(host, port)) ?? claims.find(it => it.matchesHost(host))
    if (claim !== undefined && this.#claims.delete(claim)) this.#claims.add(claim)
    return claim
  }
}
