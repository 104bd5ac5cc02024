/**
 * A transport that dials WebSocket addresses and listens on none. It loads `@libp2p/websockets` at the first dial: that
 * package loads `node:http`, which takes 17 MiB and 50 ms of processor time on Node 24.21, most of it for undici.
 */

import { serviceCapabilities, transportSymbol, UnsupportedOperationError } from '@libp2p/interface'
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { lazily } from '../node/lazily.ts'
import type { Connection, Listener, Transport } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressJudge } from '../patches/libp2p-websockets/pinned-names.ts'

/**
 * Makes the transport, in place of `webSockets()`. Its dials fail as those of `explainedWebSockets` do.
 *
 * @param judge - judges each address before it is dialled; unless given, all are dialled
 */
export function dialingWebSockets(judge?: AddressJudge): (components: WebSocketsComponents) => Transport {
  return components => new DialingWebSockets(components, judge)
}

class DialingWebSockets implements Transport {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = '@libp2p/websockets'
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport']
  readonly #transport: () => Promise<Transport>

  constructor(components: WebSocketsComponents, judge: AddressJudge | undefined) {
    this.#transport = lazily(async () => {
      const { explainedWebSockets } = await import('../patches/libp2p-websockets/dial-errors.ts')
      return explainedWebSockets(judge)(components)
    })
  }

  async dial(addr: Multiaddr, options: Parameters<Transport['dial']>[1]): Promise<Connection> {
    const transport = await this.#transport()
    options.signal.throwIfAborted()
    return transport.dial(addr, options)
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter(addr => WebSockets.exactMatch(addr) || WebSocketsSecure.exactMatch(addr))
  }

  listenFilter(): Multiaddr[] {
    return []
  }

  /** @throws {UnsupportedOperationError} always */
  createListener(): Listener {
    throw new UnsupportedOperationError('This transport listens on no address')
  }
}
