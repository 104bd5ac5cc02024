/** Refuses a stream, and gives the dialer time to read the answer, because a reset might overtake it. */

import { StreamResetError } from '@libp2p/interface'
import type { Stream } from '@libp2p/interface'
import { withDeadline } from '../../../src/time/deadline.ts'
import { encodeResponse } from '../wire/protocol.ts'
import type { TunnelStatus } from '../wire/protocol.ts'
import type { ServiceRefusal } from './service-events.ts'

/** Thrown where a stream is refused. It does not leave the listening side. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: Exclude<TunnelStatus, 'ok'> | 'none'
  readonly reason: ServiceRefusal
  declare readonly cause: Error | undefined

  /**
   * @param status - what the dialer is answered; `none` resets the stream
   * @param reason - what the owner of the service learns
   */
  constructor(status: Refusal['status'], reason: ServiceRefusal, cause?: Error) {
    super(`The stream is refused: ${reason}`, { cause })
    this.status = status
    this.reason = reason
  }
}

/**
 * Answers, and closes the stream. Never rejects.
 *
 * @param closeMs - milliseconds after which a stream that the dialer does not close is reset
 * @param signal - resets the stream immediately
 */
export async function refuse(
  stream: Stream,
  { status, cause = new StreamResetError() }: Refusal,
  closeMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (status === 'none') return stream.abort(cause)
  try {
    stream.send(encodeResponse({ status }))
    await withDeadline(closeMs, 'The remote peer did not close the stream', signal, async signal => {
      await stream.close({ signal })
      await closed(stream, signal)
    })
  } catch (error) {
    stream.abort(error as Error)
  }
}

/** Resolves when the stream is closed on both sides, or reset. */
function closed(stream: Stream, signal: AbortSignal): Promise<void> {
  if (stream.status !== 'open') return Promise.resolve()
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = (): void => {
      stream.removeEventListener('close', onClose)
      reject(signal.reason)
    }
    stream.addEventListener('close', onClose, { once: true })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
