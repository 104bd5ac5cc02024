/**
 * Dial-back: has a remote prove that this node can be reached at an address.
 *
 * The client of `@libp2p/autonat-v2` 2.0.15 is not used because it trusts nothing but four remotes in different networks, which a peer with two relays
 * does not have. Here the nonce is the proof: it comes in over a connection that the remote has made.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md
 */

import { randomBytes } from 'node:crypto'
import { InvalidMessageError } from '@libp2p/interface'
import { pbStream } from '@libp2p/utils'
import { messageBounds } from '../message-bounds.ts'
import { DIAL_BACK_PROTOCOL, DialBack, DialBackResponse } from './messages.ts'
import { requestDialBack } from './request.ts'
import { withDeadline } from '../../time/deadline.ts'
import type { AbortOptions, Connection, Startable, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DialBackAnswer } from './request.ts'

/** Time for a request, in milliseconds: go-libp2p takes 15 s (`streamTimeout` of p2p/protocol/autonatv2/autonat.go), and the answer is on its way for some. */
const REQUEST_TIMEOUT_MS = 20_000

/** Time for a nonce to arrive on its stream, in milliseconds (`dialBackStreamTimeout` of p2p/protocol/autonatv2/autonat.go). */
const NONCE_TIMEOUT_MS = 5_000

/** A `DialBack` has ten bytes; there may be fields in it that we do not know. */
const MAX_NONCE_MESSAGE_BYTES = 64

/** What libp2p hands to the factory. */
export interface DialBackComponents {
  registrar: Registrar
}

/** What became of a verification. */
export interface DialBackResult extends DialBackAnswer {
  /** The nonce came back over a connection that somebody else has made: this node can be reached at `addr`. */
  isVerified: boolean
}

/** One that is waited for. */
interface Expectation {
  via: Connection
  hasCome: boolean
}

/** Creates the service. */
export function dialBack(): (components: DialBackComponents) => DialBackService {
  return components => new DialBackService(components)
}

/** The service; it has nothing to do until {@link verify} is called. */
export class DialBackService implements Startable {
  readonly [Symbol.toStringTag] = 'throughnat/dial-back'
  readonly #registrar: Registrar
  readonly #expected = new Map<bigint, Expectation>()

  constructor({ registrar }: DialBackComponents) {
    this.#registrar = registrar
  }

  async start(): Promise<void> {
    // anybody may come with a nonce, and has one
    await this.#registrar.handle(DIAL_BACK_PROTOCOL, this.#onDialBack, { maxInboundStreams: 1 })
  }

  async stop(): Promise<void> {
    await this.#registrar.unhandle(DIAL_BACK_PROTOCOL)
  }

  /**
   * Has the remote of `via` dial this node at `addr`, and resolves with how that went. Relays dial only the address that they see this node come from, at
   * any of its ports.
   *
   * @throws `UnsupportedProtocolError` (libp2p) if the remote does not dial back
   * @throws `InvalidMessageError` (libp2p) if the answer is none
   * @throws the reason of `signal`, or `TimeoutError` after 20 s
   */
  async verify(addr: Multiaddr, via: Connection, options: AbortOptions = {}): Promise<DialBackResult> {
    const nonce = randomBytes(8).readBigUInt64LE()
    const expectation = { via, hasCome: false }
    this.#expected.set(nonce, expectation)
    try {
      const answer = await withDeadline(
        REQUEST_TIMEOUT_MS,
        'No answer to a dial-back',
        options.signal,
        signal => requestDialBack(via, { addrs: [addr], nonce }, { signal }),
      )
      return { ...answer, isVerified: answer.dialStatus === 'OK' && expectation.hasCome }
    } finally {
      this.#expected.delete(nonce)
    }
  }

  #onDialBack = async (stream: Stream, connection: Connection): Promise<void> => {
    const signal = AbortSignal.timeout(NONCE_TIMEOUT_MS)
    try {
      const messages = pbStream(stream, messageBounds(MAX_NONCE_MESSAGE_BYTES))
      const { nonce } = await messages.read(DialBack, { signal })
      this.#take(nonce, connection)
      await messages.write({ status: 0 }, DialBackResponse, { signal })
      await stream.close({ signal })
    } catch (error) {
      stream.abort(error as Error)
    }
  }

  /** Each nonce counts once, and over a connection that was made to reach this node: the one that asked proves nothing. */
  #take(nonce: bigint | undefined, connection: Connection): void {
    const expectation = nonce === undefined ? undefined : this.#expected.get(nonce)
    if (expectation === undefined || expectation.hasCome)
      throw new InvalidMessageError('Nobody waits for this nonce')
    if (connection.direction !== 'inbound' || connection === expectation.via)
      throw new InvalidMessageError('A nonce came over a connection that proves nothing')
    expectation.hasCome = true
  }
}
