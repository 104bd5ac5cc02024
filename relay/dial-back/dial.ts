/**
 * One dial-back: connects to a peer, sends the nonce, and closes the connection.
 *
 * The dial uses an ephemeral port, as the specification requires. A dial from the port that the peer is
 * connected to would pass through the NAT mapping of that connection.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md
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
import type { Connection, Upgrader } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Time to connect, in milliseconds. SYNs are repeated after 1 and 3 s (RFC 6298 section 5). A peer that
 * answers none of the three counts as unreachable. The requester waits for the result, and treats a longer
 * wait as no answer.
 */
const DIAL_TIMEOUT_MS = 5_000

/**
 * Time to send the nonce and receive its confirmation, in milliseconds (go-libp2p: `dialBackStreamTimeout`).
 */
const NONCE_TIMEOUT_MS = 5_000

/** Longest `DialBackResponse`, in bytes. It has two, and may contain fields that we do not know. */
const MAX_RESPONSE_BYTES = 64

/** The libp2p components that a dial needs. */
export interface DialComponents {
  transportManager: TransportManager
  upgrader: Upgrader
}

/**
 * Dials `addr` and sends the nonce. Resolves with the `DialStatus`, never rejects. The connection is closed
 * by then.
 */
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
  try {
    await withDeadline(NONCE_TIMEOUT_MS, 'No answer to the nonce', stopped, async signal => {
      await tell(connection, nonce, signal)
      await connection.close({ signal })
    })
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
  if (transport === undefined) throw new Error('no transport can dial this address')
  return withDeadline(DIAL_TIMEOUT_MS, 'The dial took too long', stopped, signal =>
    transport.dial(addr, { signal, upgrader }),
  )
}

async function tell(connection: Connection, nonce: bigint, signal: AbortSignal): Promise<void> {
  const stream = await connection.newStream(DIAL_BACK_PROTOCOL, { signal })
  const messages = pbStream(stream, messageBounds(MAX_RESPONSE_BYTES))
  await messages.write({ nonce }, DialBack, { signal })
  // closing the connection before the answer arrives may lose the nonce
  await messages.read(DialBackResponse, { signal })
}
