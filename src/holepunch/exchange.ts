/**
 * One DCUtR exchange over one circuit. `@libp2p/dcutr` speaks the protocol; what it asks its node for comes from here,
 * because what a stock node answers loses the punch:
 *
 * - addresses: the stock address manager gives verified listen addresses, we give candidates;
 * - the remote's addresses: it asks which transport dials each, and we accept or refuse;
 * - the dial: the stock dial queue drops the role, dials one address after the other and joins a dial in flight, even
 *   one over a circuit; we punch;
 * - the circuit: it closes it as soon as it has dialled, with whatever streams are on it; we let it stand;
 * - the peer store: it would first dial the remote's addresses one-sidedly, which blocks the 4-tuples of the punch.
 *
 * A service of `@libp2p/dcutr` is made for each circuit, so that its calls need not be told apart.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md
 */

import { dcutr as stockDcutr, multicodec } from '@libp2p/dcutr'
import { HolePunchFailedError } from '../errors.ts'
import { boundExchange } from '../patches/libp2p-dcutr/exchange-bounds.ts'
import { openOptimisticStream } from '../protocols/optimistic-stream.ts'
import type { RemoteCandidates } from './candidates.ts'
import type { Connection, ComponentLogger, Stream } from '@libp2p/interface'
import type { DCUtRServiceComponents } from '@libp2p/dcutr'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The DCUtR protocol id, `/libp2p/dcutr`. */
export const DCUTR_PROTOCOL: string = multicodec

/**
 * Time for one exchange and the punch that follows, in milliseconds: go-libp2p's stream time-out is 60 s
 * (`StreamTimeout` in svc.go), the punch takes 5 s of it at most, and a circuit whose round trip takes seconds is of
 * no use for timing a punch.
 */
export const EXCHANGE_TIMEOUT_MS = 15_000

/** What the exchange asks of its owner. */
export interface ExchangeInit {
  circuit: Connection
  logger: ComponentLogger
  /** The addresses to offer now. */
  candidates: () => Multiaddr[]
  /** Takes the addresses that the remote offers. */
  remote: RemoteCandidates
  /** Called when the SYNC has been received, or sent half a round trip ago; resolves with the direct connection. */
  punch: (rttMs: number) => Promise<Connection>
}

// what the class behind `dcutr()` offers; its declared type is `unknown`
interface StockDcutr {
  upgradeInbound(circuit: Connection): Promise<void>
  handleIncomingUpgrade(stream: Stream, circuit: Connection): Promise<void>
}

/**
 * Opens the exchange, as the responder does, and resolves with the direct connection.
 *
 * @throws {HolePunchFailedError} `not-supported`, `no-remote-candidates`, `protocol`, or why the punch failed
 */
export async function openExchange(init: ExchangeInit): Promise<Connection> {
  const exchange = new Exchange(init)
  return exchange.open()
}

/**
 * Answers the exchange that a responder has opened, as the initiator does, and resolves with the direct connection.
 *
 * @throws {HolePunchFailedError} as {@link openExchange}
 */
export async function answerExchange(init: ExchangeInit, stream: Stream): Promise<Connection> {
  const exchange = new Exchange(init)
  return exchange.answer(stream)
}

class Exchange {
  readonly #init: ExchangeInit
  readonly #stock: StockDcutr
  #offeredAt = 0
  #readAt: number | undefined
  #direct: Connection | undefined
  #error: unknown

  constructor(init: ExchangeInit) {
    this.#init = init
    const create = stockDcutr({ retries: 1, timeout: EXCHANGE_TIMEOUT_MS })
    this.#stock = create(this.#components()) as StockDcutr
  }

  async open(): Promise<Connection> {
    // upgradeInbound() swallows its errors: they come by way of the stream and of the punch
    await this.#stock.upgradeInbound(this.#circuit())
    return this.#outcome()
  }

  async answer(stream: Stream): Promise<Connection> {
    // it has a time-out for what it reads and none for what it writes
    boundExchange(stream)
    const tooLong = (): void => stream.abort(new Error('the exchange took too long'))
    const timer = setTimeout(tooLong, EXCHANGE_TIMEOUT_MS)
    try {
      await this.#stock.handleIncomingUpgrade(stream, this.#circuit())
    } catch (error) {
      this.#error ??= error
      stream.abort(error as Error)
    } finally {
      clearTimeout(timer)
    }
    return this.#outcome()
  }

  #outcome(): Connection {
    if (this.#direct !== undefined) return this.#direct
    const error = this.#error as Error | undefined
    if (error instanceof HolePunchFailedError) throw error
    const remotePeer = this.#init.circuit.remotePeer.toString()
    if (this.#init.circuit.status !== 'open')
      throw new HolePunchFailedError('circuit-closed', remotePeer, { cause: error })
    const reason = error?.name === 'UnsupportedProtocolError' ? 'not-supported' : 'protocol'
    throw new HolePunchFailedError(this.#offeredNothing() ? 'no-remote-candidates' : reason, remotePeer, {
      cause: error,
    })
  }

  /** True if the remote's CONNECT was read and no address in it may be dialled. */
  #offeredNothing(): boolean {
    const error = this.#error as Error | undefined
    return error?.name === 'InvalidMessageError' && /multiaddrs/.test(error.message)
  }

  /** The circuit as `@libp2p/dcutr` sees it: streams open at once, and closing it does nothing. */
  #circuit(): Connection {
    const { circuit } = this.#init
    const { remotePeer, remoteAddr, direction } = circuit
    const newStream = async (): Promise<Stream> => {
      try {
        const stream = await openOptimisticStream(circuit, DCUTR_PROTOCOL)
        boundExchange(stream)
        stream.addEventListener('close', event => {
          this.#error ??= event.error
        })
        return stream
      } catch (error) {
        this.#error = error
        throw error
      }
    }
    return { remotePeer, remoteAddr, direction, newStream, close: async () => {} } as unknown as Connection
  }

  #components(): DCUtRServiceComponents {
    const { logger, remote, candidates } = this.#init
    const components = {
      logger,
      peerStore: { get: async () => ({ addresses: [] }) },
      addressManager: {
        getAddresses: () => {
          this.#offeredAt = performance.now()
          return candidates()
        },
      },
      transportManager: {
        dialTransportForMultiaddr: (addr: Multiaddr) => {
          this.#readAt ??= performance.now()
          return remote.offer(addr) ? this : undefined
        },
      },
      connectionManager: { openConnection: async () => this.#punch() },
    }
    return components as unknown as DCUtRServiceComponents
  }

  async #punch(): Promise<Connection> {
    try {
      this.#direct = await this.#init.punch(this.#rttMs())
      return this.#direct
    } catch (error) {
      this.#error = error
      throw error
    }
  }

  /** The responder's CONNECT comes back as a CONNECT, the initiator's as a SYNC: one round trip either way. */
  #rttMs(): number {
    const readAt = this.#readAt ?? 0
    return (readAt > this.#offeredAt ? readAt : performance.now()) - this.#offeredAt
  }
}
