/** Which connections have shown a token that this relay knows. */

import { createHash, timingSafeEqual } from 'node:crypto'
import { RELAY_TOKEN_PROTOCOL, receiveToken } from '../../src/protocols/relay-auth.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'

/** How long a peer has to show its token, in milliseconds. */
const SHOW_TIMEOUT_MS = 10_000

/** Attempts a second from one IP address: enough for an office whose peers come back at once, and no guessing of tokens. */
const ATTEMPTS_PER_SECOND_PER_IP = 50

/** The tokens of a relay. They are kept as digests, which can be compared in constant time. */
export class Tokens {
  readonly #shown = new WeakMap<Connection, Buffer>()
  readonly #rates = new RequestRates(ATTEMPTS_PER_SECOND_PER_IP)
  #known: readonly Buffer[] = []

  constructor(tokens: readonly string[] = []) {
    this.replace(tokens)
  }

  /** Whether peers need to show one. */
  get areNeeded(): boolean {
    return this.#known.length > 0
  }

  /** Forgets all tokens and takes these; who has shown one that is not among them has to show another. */
  replace(tokens: readonly string[]): void {
    this.#known = tokens.map(token => digestOf(Buffer.from(token)))
  }

  /** Tells whether a token that is known now has been shown over this connection. */
  wasShown(connection: Connection): boolean {
    const digest = this.#shown.get(connection)
    return digest !== undefined && this.#isKnown(digest)
  }

  /** Takes tokens from peers of a node from now on. */
  async serve(registrar: Pick<Registrar, 'handle'>): Promise<void> {
    await registrar.handle(RELAY_TOKEN_PROTOCOL, this.#onStream, { maxInboundStreams: 1 })
  }

  #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    if (!this.#rates.allow(connection.remoteAddr)) {
      stream.abort(new Error('Too many tokens from this address'))
      return
    }
    const check = (token: Uint8Array): boolean => {
      // a peer that has one for this relay, and needs none, has done nothing wrong
      if (!this.areNeeded) return true
      const digest = digestOf(token)
      if (!this.#isKnown(digest)) return false
      this.#shown.set(connection, digest)
      return true
    }
    // the stream has been reset
    await receiveToken(stream, check, { signal: AbortSignal.timeout(SHOW_TIMEOUT_MS) }).catch(() => {})
  }

  #isKnown(digest: Buffer): boolean {
    return this.#known.some(known => timingSafeEqual(known, digest))
  }
}

function digestOf(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest()
}
