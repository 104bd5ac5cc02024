/** Asks the listener whether a stream may continue over another carrier. */

import { ConnectionClosedError } from '@libp2p/interface'
import { readMessage } from '../wire/message.ts'
import { decodeResponse, encodeRequest } from '../wire/protocol.ts'
import { START } from './receive-window.ts'
import type { Stream } from '@libp2p/interface'
import type { ResumableStream } from './resumable-stream.ts'

/**
 * Asks the listener, and continues over the carrier if allowed. Resolves with `gone` if the listener does not
 * have the stream, or no longer has it. The stream leaves its current carrier.
 *
 * @throws the error of the carrier; `ConnectionClosedError` for any other answer; the reason of `signal`
 */
export async function resume(
  stream: ResumableStream,
  carrier: Stream,
  signal: AbortSignal,
): Promise<'resumed' | 'gone'> {
  try {
    carrier.send(encodeRequest({ session: stream.id, ...stream.detach() }))
    const { status, position } = decodeResponse(await readMessage(carrier, { signal }))
    if (status === 'ok' && position !== undefined) {
      stream.attach(carrier, position)
      return 'resumed'
    }
    if (status !== 'gone') throw new ConnectionClosedError(`The remote peer answered "${status}"`)
    carrier.abort(new ConnectionClosedError('The stream does not continue'))
    return 'gone'
  } catch (error) {
    // the stream was cut on this side meanwhile, after it left its old carrier; tell the listener, which
    // would wait for it
    if (stream.status === 'aborted') stream.attach(carrier, START)
    else carrier.abort(error as Error)
    throw error
  }
}
