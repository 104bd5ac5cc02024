/**
 * Asks a remote to dial this node back.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md#autonat-v2-protocol
 */

import { InvalidMessageError } from '@libp2p/interface'
import { pbStream } from '@libp2p/utils'
import { messageBounds } from '../message-bounds.ts'
import {
  DIAL_REQUEST_PROTOCOL,
  DialStatus,
  MAX_MESSAGE_BYTES,
  Message,
  nameOf,
  ResponseStatus,
} from './messages.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DialResponse, DialStatusName, ResponseStatusName } from './messages.ts'

/** What is asked. */
export interface DialBackRequest {
  /** In the order in which they are wanted; the remote tries the first one that it is willing to dial, and no other. */
  addrs: readonly Multiaddr[]
  /** What comes back over the connection that the remote makes. */
  nonce: bigint
}

/** What the remote says that it did. It may lie; whether the nonce came is the proof. */
export interface DialBackAnswer {
  status: ResponseStatusName
  /** The address that was dialled; undefined where none was. */
  addr: Multiaddr | undefined
  /** How that went; `UNUSED` where nothing was dialled. */
  dialStatus: DialStatusName
  /**
   * From the request to the answer, in milliseconds. It tells how an address that was not reached behaves: one that refuses is answered at once, one that is
   * silent takes as long as the remote waits (ours 5 s, go-libp2p 10 s).
   */
  elapsedMs: number
}

/**
 * Asks over this connection and resolves with the answer.
 *
 * A remote that wants to be paid with data first, since the address is not where we come from, counts as one that refuses.
 *
 * @throws `UnsupportedProtocolError` (libp2p) if the remote does not dial back
 * @throws `InvalidMessageError` (libp2p) if the answer is none
 */
export async function requestDialBack(
  connection: Connection,
  { addrs, nonce }: DialBackRequest,
  options: AbortOptions,
): Promise<DialBackAnswer> {
  const stream = await connection.newStream(DIAL_REQUEST_PROTOCOL, options)
  try {
    const messages = pbStream(stream, messageBounds(MAX_MESSAGE_BYTES))
    const askedAt = performance.now()
    const dialRequest = { addrs: addrs.map(addr => addr.bytes), nonce }
    await messages.write({ dialRequest }, Message, options)
    const answer = await messages.read(Message, options)
    const elapsedMs = performance.now() - askedAt
    if (answer.dialDataRequest !== undefined) {
      stream.abort(new Error('no data is sent to be dialled back'))
      return { status: 'E_DIAL_REFUSED', addr: undefined, dialStatus: 'UNUSED', elapsedMs }
    }
    const result = { ...readResponse(answer.dialResponse, addrs), elapsedMs }
    await stream.close(options)
    return result
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

function readResponse(
  response: DialResponse | undefined,
  addrs: readonly Multiaddr[],
): Omit<DialBackAnswer, 'elapsedMs'> {
  if (response === undefined) throw new InvalidMessageError('The answer to a dial request is none')
  // proto3 leaves out what is 0
  const status = nameOf(ResponseStatus, response.status ?? 0)
  const dialStatus = nameOf(DialStatus, response.dialStatus ?? 0)
  // "Implementations MUST discard responses with status codes they do not understand."
  if (status === undefined || dialStatus === undefined)
    throw new InvalidMessageError('The answer to a dial request has an unknown status')
  if (status !== 'OK') return { status, addr: undefined, dialStatus: 'UNUSED' }
  const addr = addrs[response.addrIdx ?? 0]
  if (addr === undefined) throw new InvalidMessageError('An address was dialled that nobody asked for')
  return { status, addr, dialStatus }
}
