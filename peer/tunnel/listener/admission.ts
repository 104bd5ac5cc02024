/**
 * Whether a peer may use a service: by the rules, which name it or the peer that it acts for, or by a ticket that it shows.
 *
 * The invariant: closed to everyone until a rule or a ticket opens it.
 */

import type { PeerId } from '@libp2p/interface'
import { principalOf } from '../wire/delegation.ts'
import type { OpenRequest } from '../wire/protocol.ts'
import type { ServiceOpened, ServiceRefusal, TicketRefusal } from './service-events.ts'
import { createServiceRules } from './service-rules.ts'
import type { ServiceAddress, ServiceRule, ServiceRules } from './service-rules.ts'
import type { TicketVerifier } from './ticket-verifier.ts'

/** Who asks, and for what as far as it is known. */
export type Caller = ServiceOpened

export interface AdmissionInit {
  /** The services that can be reached, by name. */
  services: ReadonlyMap<string, ServiceAddress>
  /** Who may reach them, by the same names. A service without a rule is open to nobody. */
  allow: ReadonlyMap<string, ServiceRule>
  /** Lets in who shows a ticket. @default nobody */
  tickets?: TicketVerifier
  /** This peer, for those who act for another one. @default nobody can */
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

  /** @throws {InvalidConfigError} as {@link createServiceRules} does; nothing has changed then */
  replace({ services, allow }: Pick<AdmissionInit, 'services' | 'allow'>): void {
    this.#rules = createServiceRules(services, allow)
  }

  /** Whether there is a service of this name. */
  has(service: string): boolean {
    return this.#rules.addressOf(service) !== undefined
  }

  /** Whether some rule has the peer in it, by its id as base58 text. */
  names(peerId: string): boolean {
    return this.#rules.names(peerId)
  }

  /** Finds the service for a peer that is let in, and notes in `caller` what it asks for and by what it comes in. */
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
   * Counts the use of the ticket that a peer has come in by, if any; with a refusal if it does not let it in any more.
   *
   * @throws as {@link TicketVerifier} does
   */
  async count({ ticket, peerId, principal = peerId }: Caller): Promise<TicketRefusal | undefined> {
    return ticket === undefined ? undefined : this.#tickets?.count(ticket, principal)
  }

  /** Whether a peer that was let in still would be; the end of a ticket's time does not matter to it. */
  mayGoOn({ service, peerId, principal = peerId, ticket }: Caller): boolean {
    if (typeof this.#rules.find(service, principal) !== 'string') return true
    return ticket !== undefined && this.#tickets?.isRevoked(ticket) === false && this.has(service)
  }
}
