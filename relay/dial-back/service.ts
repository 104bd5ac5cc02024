/**
 * The relay's side of AutoNAT v2: dials a peer back at an address that it names, and reports the result.
 *
 * The server of `@libp2p/autonat-v2` 2.0.15 is not used. It answers several times on one stream. It dials
 * through the dial queue, which may join other dials. It limits neither the requests nor the messages that it
 * receives.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md
 */

import { pbStream } from '@libp2p/utils'
import {
  DIAL_REQUEST_PROTOCOL,
  MAX_MESSAGE_BYTES,
  Message,
  ResponseStatus,
} from '../../src/protocols/autonat/messages.ts'
import { messageBounds } from '../../src/protocols/message-bounds.ts'
import { withDeadline } from '../../src/time/deadline.ts'
import { isDirect } from '../../src/addresses/direct.ts'
import { dialBack } from './dial.ts'
import { chooseAddr } from './dialable.ts'
import { mayBeProxy, readSurroundings } from './proxies.ts'
import { DialBackQuota } from './quota.ts'
import type { Connection, Startable, Stream } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { DialRequest, DialResponse } from '../../src/protocols/autonat/messages.ts'
import type { DialComponents } from './dial.ts'

/**
 * Time for a request to arrive, and for its answer to leave, in milliseconds each. go-libp2p allows 15 s for
 * all (`streamTimeout`).
 */
const STREAM_TIMEOUT_MS = 5_000

/** Requests that one connection may have open. One is served, the others are refused, and more are reset. */
const MAX_STREAMS = 4

/** The libp2p components that the service needs. */
export interface DialBackServerComponents extends DialComponents {
  registrar: Registrar
  addressManager: AddressManager
  connectionManager: ConnectionManager
}

/** Options of {@link DialBackServer}. */
export interface DialBackInit {
  /** Dials peers back that connect from an address of this host. @default false */
  dialBackToThisHost?: boolean | undefined
}

/** The dial-back server, as a libp2p service. */
export class DialBackServer implements Startable {
  readonly [Symbol.toStringTag] = 'throughnat-dial-back'
  readonly #components: DialBackServerComponents
  readonly #isOwnHostAllowed: boolean
  readonly #quota = new DialBackQuota()
  #stopped = new AbortController()

  constructor(components: DialBackServerComponents, init: DialBackInit = {}) {
    this.#components = components
    this.#isOwnHostAllowed = init.dialBackToThisHost ?? false
  }

  /** Dial-backs in progress. */
  get size(): number {
    return this.#quota.size
  }

  async start(): Promise<void> {
    this.#stopped = new AbortController()
    await this.#components.registrar.handle(DIAL_REQUEST_PROTOCOL, this.#onStream, {
      maxInboundStreams: MAX_STREAMS,
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the relay is stopping'))
    await this.#components.registrar.unhandle(DIAL_REQUEST_PROTOCOL)
  }

  #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      const messages = pbStream(stream, messageBounds(MAX_MESSAGE_BYTES))
      const { dialRequest } = await withStreamTimeout(signal => messages.read(Message, { signal }))
      if (dialRequest === undefined) throw new TypeError('the message is not a dial request')
      const dialResponse = await this.#answer(dialRequest, connection)
      await withStreamTimeout(async signal => {
        await messages.write({ dialResponse }, Message, { signal })
        await stream.close({ signal })
      })
    } catch (error) {
      stream.abort(error as Error)
    }
  }

  async #answer(request: DialRequest, connection: Connection): Promise<DialResponse> {
    const release = isDirect(connection) ? this.#quota.take(connection) : undefined
    if (release === undefined) return { status: ResponseStatus.E_REQUEST_REJECTED }
    try {
      return await this.#dial(request, connection)
    } finally {
      release()
    }
  }

  async #dial({ addrs = [], nonce }: DialRequest, connection: Connection): Promise<DialResponse> {
    const { remotePeer: peerId, remoteAddr } = connection
    const own = this.#components.addressManager.getAddresses()
    const isProxy = mayBeProxy(connection, {
      own,
      connections: this.#components.connectionManager.getConnections(),
      surroundings: readSurroundings(),
      isOwnHostAllowed: this.#isOwnHostAllowed,
    })
    const choice = isProxy ? undefined : chooseAddr(addrs, { peerId, remoteAddr, own })
    if (choice === undefined || nonce === undefined) return { status: ResponseStatus.E_DIAL_REFUSED }
    const dialStatus = await dialBack(choice.addr, nonce, this.#components, this.#stopped.signal)
    return { status: ResponseStatus.OK, addrIdx: choice.index, dialStatus }
  }
}

function withStreamTimeout<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withDeadline(STREAM_TIMEOUT_MS, 'The request timed out', undefined, act)
}
