/**
 * Notices when this machine's network has changed (another address, another router) and when time has passed unseen (it slept).
 *
 * Node tells neither, so that it is looked at once a second: the addresses of the interfaces, the default routes, and a clock that
 * counts sleep and is not the wall clock: one that is set has not slept.
 * What happens further away is noticed by the connections themselves.
 */

import { TypedEventEmitter } from 'main-event'
import { defaultRoutes, defaultRoutesIPv6 } from '../addresses/default-routes.ts'
import { allInterfaces, forgetInterfaces } from '../addresses/interfaces.ts'
import { systemClock } from '../time/clock.ts'
import type { Clock } from '../time/clock.ts'

/** How often it is looked at, in milliseconds. */
const INTERVAL_MS = 1_000

/** A second that took this long in milliseconds was not one in which this process ran. */
const SLEPT_MS = 5_000

/** What has happened. */
export type NetworkChange = 'addresses' | 'routes' | 'slept'

/** What is reported. */
export interface NetworkEvents {
  'network:changed': CustomEvent<{ change: NetworkChange }>
}

/** The watch. */
export class NetworkWatch extends TypedEventEmitter<NetworkEvents> {
  #timer: NodeJS.Timeout | undefined
  #addresses = ''
  #routes = ''
  #lookedAt = 0
  readonly #clock: Clock

  constructor(clock: Clock = systemClock) {
    super()
    this.#clock = clock
  }

  start(): void {
    this.#addresses = addresses()
    this.#routes = routes()
    this.#lookedAt = this.#clock.now()
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const [now, addressesNow, routesNow] = [this.#clock.now(), addresses(), routes()]
    if (now - this.#lookedAt > SLEPT_MS) this.#tell('slept')
    if (addressesNow !== this.#addresses) this.#tell('addresses')
    else if (routesNow !== this.#routes) this.#tell('routes')
    this.#lookedAt = now
    this.#addresses = addressesNow
    this.#routes = routesNow
  }

  #tell(change: NetworkChange): void {
    forgetInterfaces()
    this.safeDispatchEvent('network:changed', { detail: { change } })
  }
}

function addresses(): string {
  return Object.entries(allInterfaces())
    .flatMap(([name, list]) => (list ?? []).map(({ address }) => `${name} ${address}`))
    .toSorted()
    .join()
}

/** The default routes, in Linux; elsewhere the addresses have to do. */
function routes(): string {
  return [...defaultRoutes(), ...defaultRoutesIPv6()]
    .map(({ device, gateway }) => `${device} ${gateway}`)
    .toSorted()
    .join()
}
