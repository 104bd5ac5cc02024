/**
 * Sends an identify request to peers that stay silent, and discards the answer.
 *
 * The relay does not need the answer. But some programs do nothing before they receive such a request:
 * rust-libp2p's example of hole punching (examples/dcutr) waits for `identify::Event::Sent` before it
 * reserves. A peer that asks for a reservation or a circuit promptly does not get one, because it costs a
 * stream.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/identify/README.md
 */

import type { Connection, Libp2pEvents, PeerId, Startable, Stream } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { RelayEvents } from '../events.ts'

const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0'

/** How long a peer may stay silent before the relay identifies it, in milliseconds: some round trips. */
const PATIENCE_MS = 1_000

/**
 * Time for the answer, in milliseconds, and its maximal length in bytes: the values of `@libp2p/identify`.
 */
const TIMEOUT_MS = 5_000
const MAX_BYTES = 8 * 1024

/** The libp2p components that the service needs. */
export interface IdentifySilentPeersComponents {
  events: TypedEventTarget<Libp2pEvents>
}

/** The service, as libp2p runs it. */
export class IdentifySilentPeers implements Startable {
  readonly #events: IdentifySilentPeersComponents['events']
  readonly #waiting = new Map<string, NodeJS.Timeout>()

  constructor({ events }: IdentifySilentPeersComponents, relayEvents: TypedEventTarget<RelayEvents>) {
    this.#events = events
    relayEvents.addEventListener('request:answered', ({ detail }) => this.#leave(detail.peerId))
  }

  start(): void {
    this.#events.addEventListener('connection:open', this.#onOpen)
    this.#events.addEventListener('connection:close', this.#onClose)
  }

  stop(): void {
    this.#events.removeEventListener('connection:open', this.#onOpen)
    this.#events.removeEventListener('connection:close', this.#onClose)
    for (const timer of this.#waiting.values()) clearTimeout(timer)
    this.#waiting.clear()
  }

  #onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    const { remotePeer } = connection
    this.#leave(remotePeer)
    const timer = setTimeout(() => {
      this.#leave(remotePeer)
      void ask(connection)
    }, PATIENCE_MS)
    this.#waiting.set(remotePeer.toString(), timer.unref())
  }

  #onClose = ({ detail }: CustomEvent<Connection>): void => this.#leave(detail.remotePeer)

  #leave(peerId: PeerId): void {
    clearTimeout(this.#waiting.get(peerId.toString()))
    this.#waiting.delete(peerId.toString())
  }
}

/** Never rejects. A peer that does not answer has no disadvantage. */
async function ask(connection: Connection): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const stream = await connection.newStream(IDENTIFY_PROTOCOL, { signal })
    forget(stream, signal)
    await stream.close({ signal })
  } catch {}
}

function forget(stream: Stream, signal: AbortSignal): void {
  let bytes = 0
  const onTimeout = (): void => stream.abort(signal.reason as Error)
  signal.addEventListener('abort', onTimeout, { once: true })
  stream.addEventListener('close', () => signal.removeEventListener('abort', onTimeout), { once: true })
  stream.addEventListener('message', ({ data }) => {
    bytes += data.byteLength
    if (bytes > MAX_BYTES) stream.abort(new Error('The identify message is too long'))
  })
}
