/**
 * Bounds what the streams cost that remotes open: some 300 us each, for 100 bytes.
 *
 * Each connection may open some streams, and a few a second more. Beyond that, connections of remotes that this node does
 * not trust share a rate: they take turns, first by network and then by connection, and the others wait unread. So a
 * remote that opens many streams delays itself, and one that opens a few never waits long. A stream that leads to
 * something does not count.
 */

import { isCircuit, lastPeerId, relayAddrOf } from '../addresses/circuit.ts'
import { blockOf } from '../limits/ip-network.ts'
import { TokenBucket } from '../limits/token-bucket.ts'
import type { Connection, StreamMuxer } from '@libp2p/interface'

/**
 * New streams of one connection. A peer needs some five when it connects. A browser opens up to 50 connections together
 * for a page before the first of them is admitted.
 */
export const NEW_STREAMS = { capacity: 64, perSecond: 16 } as const

/** New streams of all connections that have used up theirs: 128 a second, some 5 % of a processor. */
export const SHARED_STREAMS = { perTurn: 4, turnMs: 31.25 } as const

/**
 * New streams of one connection of a remote that this node trusts: twice as many as a peer may have open, and then as many a
 * second as a busy web server has.
 */
export const TRUSTED_STREAMS = { capacity: 4_096, perSecond: 1_024 } as const

/** As how many streams more one counts that is refused: the refusal takes up to three times what opening it takes. */
export const REFUSED_STREAMS = 3

/** The new streams of one connection. */
export class NewStreams {
  /** The network that the remote shares its turns with. */
  network = ''
  /** True for a remote that does not share. */
  isTrusted: () => boolean = () => false
  readonly #turns: SharedTurns
  readonly #own: TokenBucket
  readonly #trusted: TokenBucket

  /** @param now - milliseconds, for tests */
  constructor(turns: SharedTurns = sharedTurns, now?: () => number) {
    const clock = now === undefined ? {} : { now }
    this.#turns = turns
    this.#own = new TokenBucket({ ...NEW_STREAMS, ...clock })
    this.#trusted = new TokenBucket({ ...TRUSTED_STREAMS, ...clock })
  }

  /** Counts what a remote has opened, or something that costs as much as so many streams. */
  charge(streams = 1): void {
    this.#trusted.take(streams)
    if (this.#own.take(streams) > 0 && this.isTrusted()) this.#own.refund(streams)
  }

  /** Counts less: a stream has led to something. */
  credit(streams = 1): void {
    this.#own.refund(streams)
  }

  /** True if the remote has opened more than it may by now. */
  get isSpent(): boolean {
    return this.#trusted.waitMs(0) > 0 || (this.#own.waitMs(0) > 0 && !this.isTrusted())
  }

  /** Calls back when the remote may open another stream. */
  wait(waiting: Waiting): void {
    const ms = this.#trusted.waitMs(0)
    if (ms > 0) setTimeout(() => waiting.goOn(), ms)
    else
      this.#turns.join(this.network, {
        isOver: () => waiting.isOver(),
        goOn: () => {
          this.#own.refund(SHARED_STREAMS.perTurn)
          // one that owes more than a turn gives waits for the next
          if (this.isSpent) this.wait(waiting)
          else waiting.goOn()
        },
      })
  }
}

/** A connection that waits for its turn. */
export interface Waiting {
  /** True if it has ended meanwhile. */
  readonly isOver: () => boolean
  readonly goOn: () => void
}

/** The turns of connections: one network after the other, and in each network one connection after the other. */
export class SharedTurns {
  readonly #networks = new Map<string, Waiting[]>()
  #timer: NodeJS.Timeout | undefined

  join(network: string, waiting: Waiting): void {
    const others = this.#networks.get(network)
    if (others === undefined) this.#networks.set(network, [waiting])
    else others.push(waiting)
    this.#timer ??= setInterval(() => this.#next(), SHARED_STREAMS.turnMs)
  }

  #next(): void {
    for (const [network, [first, ...others]] of this.#networks) {
      this.#networks.delete(network)
      if (others.length > 0) this.#networks.set(network, others)
      if (first === undefined || first.isOver()) continue
      first.goOn()
      return
    }
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

const sharedTurns = new SharedTurns()
const byMuxer = new WeakMap<object, NewStreams>()

/** Makes the budget of a multiplexer. */
export function budgetStreams(muxer: StreamMuxer): NewStreams {
  const streams = new NewStreams()
  byMuxer.set(muxer, streams)
  return streams
}

/** The new streams of a connection. `undefined` if its multiplexer is not ours. */
export function newStreamsOf(connection: object): NewStreams | undefined {
  const { muxer } = connection as { muxer?: StreamMuxer }
  return muxer === undefined ? undefined : byMuxer.get(muxer)
}

/** The network that a connection takes turns in. Strangers behind one relay share, because they can make any number of ids. */
export function streamNetworkOf({ remoteAddr }: Connection): string {
  return isCircuit(remoteAddr) ? `relay ${lastPeerId(relayAddrOf(remoteAddr))}` : blockOf(remoteAddr)
}
