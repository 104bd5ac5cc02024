/** Brings up what compose.yaml describes, piece by piece, each as soon as what it needs has reported that it is there. */

import assert from 'node:assert/strict'
import { compose, docker, PROJECT, removeAll, removeContainers } from './docker.ts'
import { follow, unfollowAll } from './reports.ts'
import type { NatKindName } from '../lab/net/nat-kind.ts'
import type { Fits, Line, Reports } from './reports.ts'
import type { Variables } from './docker.ts'

/** The relays' addresses in the wide area. */
export const relayAddresses = { relay1: '11.0.0.11', relay2: '11.0.0.12' } as const
export type RelayName = keyof typeof relayAddresses
export const RELAYS = ['relay1', 'relay2'] as const satisfies RelayName[]

export interface Sides {
  /** Which router the listener is behind. */
  home: NatKindName
  /** Which one the forwarding side is behind. */
  away: NatKindName
}

export class Stage {
  readonly relays: Record<RelayName, Reports>
  readonly #variables: Record<string, string>

  private constructor(relays: Record<RelayName, Reports>, addrs: readonly string[]) {
    this.relays = relays
    this.#variables = { RELAYS: addrs.join(' ') }
  }

  /** The relays, and nothing else yet. */
  static async create(): Promise<Stage> {
    await removeAll()
    await compose(['up', '--detach', ...RELAYS])
    const [relay1, relay2] = await Promise.all([follow('relay1'), follow('relay2')])
    const ready = await Promise.all([relay1.event('relay:ready'), relay2.event('relay:ready')])
    return new Stage({ relay1, relay2 }, ready.flatMap(publicAddr))
  }

  /** Puts the listener and the forwarding side behind new routers, with new containers, and starts the listener. */
  async place({ home, away }: Sides): Promise<Reports> {
    Object.assign(this.#variables, side('HOME', home), side('AWAY', away))
    // a public side has no router
    const routers = Object.entries({ home, away }).flatMap(([name, kind]) =>
      kind === 'none' ? [] : [`${name}-router`],
    )
    await removeContainers(['home', 'echo', 'away', 'home-host', 'away-host', 'home-router', 'away-router'])
    await this.#up([...routers, 'home-host', 'away-host'])
    await Promise.all([
      ...routers.map(async router => (await follow(router)).event('router:ready')),
      ...['home-host', 'away-host'].map(async host => (await follow(host)).event('host:connected')),
    ])
    await this.#up(['home', 'echo'])
    const listener = await follow('home')
    await listener.event('reservation:granted')
    const { peerId } = await listener.event('peer:ready')
    this.#variables['TARGET'] = String(peerId)
    return listener
  }

  /** Starts to forward. Resolves when the forward takes connections. */
  async forward(): Promise<Reports> {
    await this.#up(['away'])
    const forward = await follow('away')
    await forward.event('forward:listening')
    return forward
  }

  /** As `forward`, with a new container: a program that knows nothing of before. */
  async forwardAnew(): Promise<Reports> {
    await removeContainers(['away'])
    return await this.forward()
  }

  /** Replaces a relay's container by a new one, with the same identity: it is told to end, drains, and ends with 0. */
  async replaceRelay(name: RelayName): Promise<void> {
    await compose(['stop', name], this.#variables)
    await this.relays[name].event('relay:draining')
    assert.equal(await docker('inspect', '--format', '{{.State.ExitCode}}', `${PROJECT}-${name}`), '0')
    await removeContainers([name])
    await this.#up([name])
    await this.refollow(name)
  }

  /** Follows a relay that was started again, and resolves when it is ready. */
  async refollow(name: RelayName): Promise<void> {
    const relay = await follow(name)
    await relay.event('relay:ready')
    this.relays[name] = relay
  }

  /** Where events of the relays are new from. */
  relayMarks(): Record<RelayName, number> {
    const { relay1, relay2 } = this.relays
    return { relay1: relay1.mark, relay2: relay2.mark }
  }

  /** Resolves with what a circuit to this peer has carried, both ways, once it has ended at either relay. */
  async circuitBytes(responder: string, marks: Record<RelayName, number>): Promise<number> {
    const fits: Fits = line => line['responder'] === responder
    const { bytesToInitiator, bytesToResponder } = await Promise.any(
      RELAYS.map(async name => this.relays[name].event('circuit:closed', { mark: marks[name], fits })),
    )
    return Number(bytesToInitiator) + Number(bytesToResponder)
  }

  /** Removes everything. */
  async close(): Promise<void> {
    unfollowAll()
    await removeAll()
  }

  async #up(services: readonly string[]): Promise<void> {
    await compose(['up', '--detach', '--no-deps', ...services], this.#variables)
  }
}

function publicAddr({ addrs }: Line): string[] {
  return (addrs as string[]).slice(0, 1)
}

function side(name: 'HOME' | 'AWAY', kind: NatKindName): Variables {
  if (kind === 'none') return { [`${name}_NETWORK`]: 'wide-area', [`${name}_ROUTER`]: '' }
  const lan = name === 'HOME' ? '201' : '202'
  return {
    [`${name}_KIND`]: kind,
    [`${name}_NETWORK`]: name.toLowerCase(),
    [`${name}_ROUTER`]: `192.168.${lan}.1`,
  }
}
