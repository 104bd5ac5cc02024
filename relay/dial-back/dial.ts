/**
 * One dial-back: connects to a peer, gives it the nonce, and goes.
 *
 * From an ephemeral port, as the specification wants it: from the port that the peer is connected to, the dial would come in through the hole that
 * this connection has made.
 */

import { pbStream } from '@libp2p/utils'
import {
  DIAL_BACK_PROTOCOL,
  DialBack,
  DialBackResponse,
  DialStatus,
} from '../../src/protocols/autonat/messages.ts'
import { messageBounds } from '../../src/protocols/message-bounds.ts'
import { withDeadline } from '../../src/time/deadline.ts'
import { guard, unguard } from '../../src/patches/multistream-select/endless-length.ts'
import type { Connection, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Time to connect, in milliseconds: SYNs are repeated after 1 and 3 s (RFC 6298 section 5), and who gets none of three is not to be reached. Whoever asks waits for it,
 * and takes a longer wait for silence.
 */
const DIAL_TIMEOUT_MS = 5_000

/** Time to give the nonce and to hear that it has arrived, in milliseconds (go-libp2p: `dialBackStreamTimeout`). */
const NONCE_TIMEOUT_MS = 5_000

/** A `DialBackResponse` has two bytes; there may be fields in it that we do not know. */
const MAX_RESPONSE_BYTES = 64

/** What a dial needs. */
export interface DialComponents {
  transportManager: TransportManager
  upgrader: Upgrader
}

/** Dials and resolves with the `DialStatus`; never rejects. The connection is closed by then. */
export async function dialBack(
  addr: Multiaddr,
  nonce: bigint,
  components: DialComponents,
  stopped: AbortSignal,
): Promise<number> {
  let connection: Connection
  try {
    connection = await connect(addr, components, stopped)
  } catch {
    return DialStatus.E_DIAL_ERROR
  }
  const signal = AbortSignal.any([AbortSignal.timeout(NONCE_TIMEOUT_MS), stopped])
  try {
    await tell(connection, nonce, signal)
    await connection.close({ signal })
    return DialStatus.OK
  } catch (error) {
    connection.abort(error as Error)
    return DialStatus.E_DIAL_BACK_ERROR
  }
}

async function connect(
  addr: Multiaddr,
  { transportManager, upgrader }: DialComponents,
  stopped: AbortSignal,
): Promise<Connection> {
  const transport = transportManager.dialTransportForMultiaddr(addr)
  if (transport === undefined) throw new Error('no transport dials this address')
  return withDeadline(DIAL_TIMEOUT_MS, 'The dial took too long', stopped, signal =>
    transport.dial(addr, { signal, upgrader: guarding(upgrader) }),
  )
}

/** What the remote sends before it is known is looked at, as what comes in is. */
function guarding(upgrader: Upgrader): Upgrader {
  const upgradeOutbound: Upgrader['upgradeOutbound'] = async (socket: MultiaddrConnection, options) => {
    guard(socket)
    try {
      return await upgrader.upgradeOutbound(socket, options)
    } finally {
      unguard(socket)
    }
  }
  return Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound })
}

async function tell(connection: Connection, nonce: bigint, signal: AbortSignal): Promise<void> {
  const stream = await connection.newStream(DIAL_BACK_PROTOCOL, { signal })
  const messages = pbStream(stream, messageBounds(MAX_RESPONSE_BYTES))
  await messages.write({ nonce }, DialBack, { signal })
  // without the answer, what was written may be lost with the connection
  await messages.read(DialBackResponse, { signal })
}
