/** Starts victims, and measures what an attack costs them. */

import { Child } from '../../../scripts/bench/child.ts'
import { inTime } from '../../waits.ts'
import type { TestContext } from 'node:test'
import type { Cost, Question, Started, VictimKind } from './victim-process.ts'

/** Time for one attack with all that it causes, in milliseconds. */
const ATTACK_MS = 30_000

export interface VictimInit {
  kind: VictimKind
  /** Where a peer reserves. */
  relay?: string
  /** The port of the service that a peer exposes to anyone, as `web`. */
  servicePort?: number
}

/** A relay or a peer in a process of its own. */
export class Victim {
  readonly #child: Child
  readonly addr: string
  readonly addrs: readonly string[]
  readonly peerId: string
  readonly port: number
  /** Where a relay listens for WebSockets. */
  readonly webSocketPort: number
  /** Where a relay has its status server. */
  readonly statusPort: number

  private constructor(child: Child, { addrs, peerId, statusUrl = '' }: Started) {
    this.#child = child
    this.addrs = addrs
    this.peerId = peerId
    this.addr = addrs.find(it => /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+$/.test(it)) ?? ''
    this.port = Number(/\/tcp\/(\d+)/.exec(this.addr)?.[1])
    this.webSocketPort = Number(addrs.join(' ').match(/\/tcp\/(\d+)\/ws\//)?.[1])
    this.statusPort = Number(/:(\d+)$/.exec(statusUrl)?.[1])
  }

  static async start(t: Pick<TestContext, 'after'>, init: VictimInit): Promise<Victim> {
    const child = new Child(new URL('victim-process.ts', import.meta.url), init)
    t.after(() => child.stop())
    return new Victim(child, await child.do('start'))
  }

  /** Runs an attack, waits until the victim has come to rest, and returns what that cost it. */
  async measure(attack: () => Promise<unknown>): Promise<Cost> {
    await this.#child.do('begin')
    await inTime(attack(), 'the attack has ended', ATTACK_MS)
    return this.#child.do('cost', {}, ATTACK_MS)
  }

  /** Has the victim connect. Resolves with false if it cannot. */
  async dial(addr: string): Promise<boolean> {
    return this.#child.do('dial', { addr })
  }

  /** Has the victim ask a hostile remote. Resolves with the name of the error, or '' if there was none. */
  async ask(question: Question, addr: string): Promise<string> {
    return this.#child.do('ask', { question, addr })
  }
}
