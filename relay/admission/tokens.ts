/**
 * Tokens: which connections have shown one that this relay accepts. A token counts for its connection only.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { RELAY_TOKEN_PROTOCOL, receiveToken } from '../../src/protocols/relay-auth.ts'
import QuickLRU from 'quick-lru'
import { networkOf } from '../../src/limits/ip-network.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import { TokenBuckets } from '../../src/limits/token-buckets.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'

/** How long a peer may take to show its token, in milliseconds. */
const SHOW_TIMEOUT_MS = 10_000

/** Attempts per second from one IP address. That is enough for an office whose peers all reconnect together. */
const ATTEMPTS_PER_SECOND_PER_IP = 50

/**
 * Wrong tokens from one network: an IPv4 address, or an IPv6 /56. After 20, one more every 5 s. An administrator who has
 * mistyped a token on some machines of an office stays below that.
 */
export const GUESSES = { capacity: 20, perSecond: 0.2, maxKeys: 10_000 } as const

/** Peers that have shown a token and are remembered for it, and wrong tokens that are remembered. */
const MAX_REMEMBERED = 10_000

/** The tokens of a relay. It keeps their SHA-256 digests, which can be compared in constant time. */
export class Tokens {
  readonly #shown = new WeakMap<Connection, Buffer>()
  readonly #rates = new RequestRates(ATTEMPTS_PER_SECOND_PER_IP)
  readonly #guesses = new TokenBuckets(GUESSES)
  /** Peers that have shown a token. The wrong tokens of others behind the same address do not slow them down. */
  readonly #peers = new QuickLRU<string, true>({ maxSize: MAX_REMEMBERED })
  /** Wrong tokens, by network. A peer that shows the same one again and again, as one with an old token does, guesses nothing. */
  readonly #wrong = new QuickLRU<string, true>({ maxSize: MAX_REMEMBERED })
  #known: readonly Buffer[] = []

  constructor(tokens: readonly string[] = []) {
    this.replace(tokens)
  }

  /** True if this relay has tokens, so peers need to show one. */
  get areNeeded(): boolean {
    return this.#known.length > 0
  }

  /**
   * Replaces all tokens. A peer that has shown a token that is no longer in the list must show another one.
   */
  replace(tokens: readonly string[]): void {
    this.#known = tokens.map(token => digestOf(Buffer.from(token)))
    this.#peers.clear()
    this.#wrong.clear()
  }

  /** True if this connection has shown a token that the relay still accepts. */
  wasShown(connection: Connection): boolean {
    const digest = this.#shown.get(connection)
    return digest !== undefined && this.#isKnown(digest)
  }

  /** Accepts tokens from peers. Resolves when the protocol is registered. */
  async serve(registrar: Pick<Registrar, 'handle'>): Promise<void> {
    await registrar.handle(RELAY_TOKEN_PROTOCOL, this.#onStream, { maxInboundStreams: 1 })
  }

  #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    if (!this.#rates.allow(connection.remoteAddr)) {
      stream.abort(new Error('Too many tokens from this address'))
      return
    }
    const check = (token: Uint8Array): boolean => {
      // a peer may send a token although this relay needs none
      if (!this.areNeeded) return true
      const network = networkOf(connection.remoteAddr).key
      const peer = connection.remotePeer.toString()
      // a wrong one and one too many get the same answer
      if (this.#guesses.waitMs(network) > 0 && !this.#peers.has(peer)) return false
      const digest = digestOf(token)
      if (!this.#isKnown(digest)) {
        this.#count(network, digest)
        return false
      }
      this.#shown.set(connection, digest)
      this.#peers.set(peer, true)
      return true
    }
    // on failure `receiveToken` has reset the stream
    await receiveToken(stream, check, { signal: AbortSignal.timeout(SHOW_TIMEOUT_MS) }).catch(() => {})
  }

  #count(network: string, digest: Buffer): void {
    const guess = `${network} ${digest.toString('base64')}`
    if (!this.#wrong.has(guess)) this.#guesses.take(network)
    this.#wrong.set(guess, true)
  }

  #isKnown(digest: Buffer): boolean {
    return this.#known.some(known => timingSafeEqual(known, digest))
  }
}

function digestOf(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest()
}
