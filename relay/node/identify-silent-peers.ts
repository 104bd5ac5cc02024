/**
 * Asks peers that hold back who they are, and forgets the answer.
 *
 * The relay has no need to know. But there are programs that do nothing before they have been asked: rust-libp2p's example of hole punching (examples/dcutr) waits for
 * `identify::Event::Sent` before it reserves. A peer that asks for a reservation or a circuit as soon as it is connected is not asked, since that costs a stream.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/identify/README.md
 */

import type { Connection, Libp2pEvents, PeerId, Startable, Stream } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { RelayEvents } from '../events.ts'

const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0'

/** How long a peer may take to ask for something before it is asked, in milliseconds: some round trips. */
const PATIENCE_MS = 1_000

/** Time for the answer, in milliseconds, and the most bytes of it: those of `@libp2p/identify`. */
const TIMEOUT_MS = 5_000
const MAX_BYTES = 8 * 1024

/** What libp2p hands to a service. */
export interface IdentifySilentPeersComponents {
  events: TypedEventTarget<Libp2pEvents>
}

/** A libp2p service. */
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

/** Never rejects: whoever does not answer is none the worse for it. */
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
    if (bytes > MAX_BYTES) stream.abort(new Error('Too long for an introduction'))
  })
}
