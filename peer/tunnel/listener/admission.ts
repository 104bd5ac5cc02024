/**
 * Decides whether a peer may use a service: by a rule that names it or the peer that it acts for, or by its
 * ticket.
 *
 * Invariant: a service is closed to everyone until a rule or a ticket opens it.
 */

import type { PeerId } from '@libp2p/interface'
import { principalOf } from '../wire/delegation.ts'
import type { OpenRequest } from '../wire/protocol.ts'
import type { ServiceOpened, ServiceRefusal, TicketRefusal } from './service-events.ts'
import { createServiceRules } from './service-rules.ts'
import type { ServiceAddress, ServiceRule, ServiceRules } from './service-rules.ts'
import type { TicketVerifier } from './ticket-verifier.ts'

/** The requesting peer, and its request as far as it is known. */
export type Caller = ServiceOpened

export interface AdmissionInit {
  /** The services that can be reached, by name. */
  services: ReadonlyMap<string, ServiceAddress>
  /** Who may reach them, by the same names. A service without a rule is closed. */
  allow: ReadonlyMap<string, ServiceRule>
  /** Checks tickets. @default no ticket admits anyone */
  tickets?: TicketVerifier
  /** This peer's id, which delegations must name. @default no peer can act for another one */
  peerId?: PeerId
}

export class Admission {
  #rules: ServiceRules
  readonly #tickets: TicketVerifier | undefined
  readonly #peerId: PeerId | undefined

  /** @throws {InvalidConfigError} as {@link createServiceRules} does */
  constructor({ services, allow, tickets, peerId }: AdmissionInit) {
    this.#rules = createServiceRules(services, allow)
    this.#tickets = tickets
    this.#peerId = peerId
  }

  /**
   * Replaces services and rules. @throws {InvalidConfigError} as {@link createServiceRules} does; nothing
   * changes then
   */
  replace({ services, allow }: Pick<AdmissionInit, 'services' | 'allow'>): void {
    this.#rules = createServiceRules(services, allow)
  }

  /** True if there is a service with this name. */
  has(service: string): boolean {
    return this.#rules.addressOf(service) !== undefined
  }

  /** True if a rule names the peer. `peerId` is base58 text. */
  names(peerId: string): boolean {
    return this.#rules.names(peerId)
  }

  /**
   * Finds the service if the peer is admitted. Records the request, and the reason for admission, in
   * `caller`.
   */
  async admit(
    { service, ticket, delegation }: OpenRequest,
    caller: Caller,
    remotePeer: PeerId,
  ): Promise<ServiceAddress | Exclude<ServiceRefusal, 'busy'>> {
    caller.service = service
    if (delegation !== undefined && this.#peerId !== undefined) {
      const principal = await principalOf(delegation, { delegate: remotePeer, listener: this.#peerId })
      if (principal !== undefined) caller.principal = principal
    }
    const peerId = caller.principal ?? caller.peerId
    const found = this.#rules.find(service, peerId)
    if (typeof found !== 'string' || ticket === undefined || this.#tickets === undefined) return found
    const looked = this.#tickets.look(ticket, service, peerId, caller.peerId)
    if (typeof looked === 'string') return looked
    caller.ticket = looked.id
    return this.#rules.addressOf(service) ?? 'unknown'
  }

  /**
   * Counts the use of the ticket that admitted a peer. Does nothing without a ticket. Resolves with a refusal
   * if the ticket no longer admits the peer.
   *
   * @throws as {@link TicketVerifier} does
   */
  async count({ ticket, peerId, principal = peerId }: Caller): Promise<TicketRefusal | undefined> {
    return ticket === undefined ? undefined : this.#tickets?.count(ticket, principal)
  }

  /**
   * True if an admitted peer would still be admitted. The expiry of a ticket does not affect open
   * connections.
   */
  mayGoOn({ service, peerId, principal = peerId, ticket }: Caller): boolean {
    if (typeof this.#rules.find(service, principal) !== 'string') return true
    return ticket !== undefined && this.#tickets?.isRevoked(ticket) === false && this.has(service)
  }
}
