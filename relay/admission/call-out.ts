/**
 * Asks a program of the operator over HTTP which peers may use the relay.
 *
 * The request is a POST of the JSON `{"question": "reserve" | "connect", "peerId", "remoteAddr", "target"}`.
 * `target` is present with `connect` only. The answer is status 200 and `{"allow": true | false, "reason":
 * "..."}`. Any other answer, and no answer in time, denies.
 */

import { FairSlots } from '../../src/limits/fair-slots.ts'
import { sharesOf } from '../../src/limits/ip-network.ts'
import { anySignalOf, withDeadline } from '../../src/time/deadline.ts'
import type { AbortOptions, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Bounds, SlotItem } from '../../src/limits/fair-slots.ts'
import type { Verdict, Visitor } from './admission.ts'

/**
 * How long the program may take to answer, in milliseconds. js-libp2p's peers wait 5 s for a reservation
 * (`reservationCompletionTimeout` of `circuitRelayTransport`), and should receive the refusal before that.
 */
const ANSWER_TIMEOUT_MS = 3_000

/**
 * Questions in progress at the same time, so that a slow program has a bounded cost. When there are more, the network,
 * address and peer with the most questions loses its oldest one, which is denied. One network has at most a half, and one
 * peer a quarter.
 */
const MAX_QUESTIONS = 256

const TOO_SLOW = 'the admission program is too slow'

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 4096

/** The program that answers. */
export class CallOut {
  readonly url: string
  readonly #maxQuestions: number
  /** The questions in progress. */
  readonly #asking = new FairSlots<SlotItem>()

  /** @param maxQuestions - questions in progress, fewer for tests */
  constructor(url: string, maxQuestions: number = MAX_QUESTIONS) {
    this.url = url
    this.#maxQuestions = maxQuestions
  }

  async ask(
    question: 'reserve' | 'connect',
    { peerId, remoteAddr }: Visitor,
    target: PeerId | undefined,
    { signal }: AbortOptions,
  ): Promise<Verdict> {
    const asked = { question, peerId, remoteAddr, ...(target === undefined ? {} : { target }) }
    const replaced = new AbortController()
    const slot: SlotItem = { lose: () => replaced.abort(new Error('too many questions')) }
    if (!this.#asking.take(slot, this.#boundsOf(peerId, remoteAddr))) return { deniedBy: TOO_SLOW }
    const ended = anySignalOf(replaced.signal, signal ?? undefined)
    try {
      const answer = await withDeadline(ANSWER_TIMEOUT_MS, 'No answer in time', ended, signal =>
        this.#post(asked, signal),
      )
      return verdictOf(answer)
    } catch (error) {
      if (replaced.signal.aborted) return { deniedBy: TOO_SLOW }
      return { deniedBy: `the admission program failed: ${causeOf(error)}` }
    } finally {
      this.#asking.release(slot)
    }
  }

  #boundsOf(peerId: PeerId, remoteAddr: Multiaddr): Bounds {
    const [wide, narrow] = sharesOf(remoteAddr)
    const max = this.#maxQuestions
    return [
      { key: 'all', max },
      { key: wide, max: max / 2 },
      { key: narrow, max: max / 2 },
      { key: peerId.toString(), max: max / 4 },
    ]
  }

  async #post(asked: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asked, (_key, value: unknown) => (isTextual(value) ? value.toString() : value)),
      redirect: 'error',
      signal,
    })
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength
      if (bytes > MAX_ANSWER_BYTES) throw new Error(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`)
      chunks.push(chunk)
    }
    if (response.status !== 200) throw new Error(`it answered with status ${response.status}`)
    return JSON.parse(Buffer.concat(chunks).toString())
  }
}

/** True for peer ids and multiaddrs, which the JSON contains as text. */
function isTextual(value: unknown): value is { toString(): string } {
  return typeof value === 'object' && value !== null && ('toCID' in value || 'getComponents' in value)
}

function verdictOf(answer: unknown): Verdict {
  const { allow, reason } = (answer ?? {}) as { allow?: unknown; reason?: unknown }
  if (allow === true) return undefined
  if (allow !== false) throw new Error('its answer has no "allow" that is true or false')
  return {
    deniedBy: `the admission program: ${typeof reason === 'string' ? reason.slice(0, 200) : 'no reason'}`,
  }
}

function causeOf(error: unknown): string {
  const { message, cause, name } = error as Error & { cause?: { code?: string; message?: string } }
  if (name === 'TimeoutError') return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`
  return cause?.code ?? cause?.message ?? message
}
