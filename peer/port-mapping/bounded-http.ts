/**
 * HTTP requests to a device of the LAN, which may be hostile.
 *
 * Invariants: no redirect is followed, and sizes and times are bounded.
 */

import { readAll } from '../../src/streams/read-all.ts'
import type { IncomingMessage } from 'node:http'

/**
 * Longest body, in bytes. Descriptions of gateways have 5 to 30 KiB (miniupnpd's: 4.5), answers to actions
 * less than 1.
 */
const MAX_BODY_BYTES = 131_072
/** Longest header, in bytes. Node's default is 16 KiB; a device sends a few hundred bytes. */
const MAX_HEADER_BYTES = 8_192
/**
 * Time for a whole request, in milliseconds. A device may take 30 s to answer an action (UPnP Device
 * Architecture 1.1, section 3.1.1). Gateways take milliseconds.
 */
const TIMEOUT_MS = 5_000

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly localAddress: string
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/**
 * Sends a request. Resolves with the whole answer, whatever its status.
 *
 * @throws if the answer is too long or too late, the connection fails, or `signal` fires
 */
export async function fetchBounded(
  url: URL,
  { body, ...init }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  // it takes 17 MiB, and most networks have no device to ask
  const { request } = await import('node:http')
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  // one connection per request: none stays open between two requests
  const asking = request(url, { ...init, agent: false, maxHeaderSize: MAX_HEADER_BYTES, signal: limit })
  asking.on('error', reject)
  asking.on('response', resolve)
  asking.end(body)
  try {
    const response = await promise
    return { status: response.statusCode ?? 0, text: await readAll(response, MAX_BODY_BYTES) }
  } finally {
    asking.destroy()
  }
}
