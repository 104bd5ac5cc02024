/**
 * The DCUtR exchange over one circuit: the two peers tell each other where to dial, and when.
 *
 * Both sides are here. The responder (B in the specification) accepted the circuit and opens the exchange; the initiator
 * (A) dialled the circuit and answers. Each function returns at the moment when its side has to dial.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol
 */

import { setTimeout as pause } from 'node:timers/promises'
import { multicodec } from '@libp2p/dcutr'
import { InvalidMessageError } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { parseAddresses } from '../addresses/parse-addresses.ts'
import { HolePunchFailedError } from '../errors.ts'
import { messageBounds } from '../protocols/message-bounds.ts'
import { openOptimisticStream } from '../protocols/optimistic-stream.ts'
import { bytes, messageType, repeated, uint32 } from '../protocols/protobuf.ts'
import { anySignalOf } from '../time/deadline.ts'
import type { AbortOptions, Connection, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The DCUtR protocol id, `/libp2p/dcutr`. */
export const DCUTR_PROTOCOL: string = multicodec

/** Time for one exchange, in milliseconds. go-libp2p allows 60 s (`StreamTimeout` in svc.go); a punch needs a faster circuit. */
export const EXCHANGE_TIMEOUT_MS = 15_000

/** DCUtR.md: "Implementations SHOULD refuse ... messages larger than 4 KiB". */
const MAX_MESSAGE_BYTES = 4096

/** Addresses of an offer that are looked at. Ours have 16 at most (src/holepunch/candidates.ts). */
const MAX_ADDRS = 64

/** `HolePunch.Type`. */
export const Type = { CONNECT: 100, SYNC: 300 } as const

/** `message HolePunch`. */
export const HolePunchMessage = messageType({
  type: uint32(1),
  /** Binary multiaddrs. */
  addrs: repeated(bytes(2)),
  /** Not in the specification, skipped by others: those of the addresses that can be dialled without a punch. */
  reachable: repeated(bytes(1001)),
  /** Not in the specification, skipped by others: the encryptions that the sender takes on a socket without negotiation, in UTF-8. */
  encryptions: repeated(bytes(1010)),
})

/** What one side sends in its CONNECT. */
interface Offer {
  /** Where to punch to. */
  addrs: readonly Multiaddr[]
  /** Where this side can be dialled without a punch: its public addresses that no NAT translates. */
  reachable: readonly Multiaddr[]
  /** The encryptions that this side takes on a socket without negotiation, for example `/tls/1.0.0`. @default none */
  encryptions?: readonly string[] | undefined
}

/** The remote's offer. Multiaddrs that cannot be parsed are left out, and those after the first 64. Nothing else about them has been checked. */
export interface RemoteOffer extends Offer {
  /** Fields that this version does not know, encoded, each with its tag. At most 4 KiB. */
  unknownFields: readonly Uint8Array[]
}

/** What the responder needs for its SYNC. */
export interface KnownOffer {
  readonly offer: RemoteOffer
  /** Round trip over the circuit, in milliseconds. */
  readonly rttMs: number
}

/** What an exchange asks of its owner. */
export interface ExchangeInit<Plan> {
  circuit: Connection
  /** Time for the exchange, in milliseconds. @default 15000 */
  timeoutMs?: number
  /** The addresses to offer. `theirs` is undefined for the responder, which offers first. */
  offer: (theirs: RemoteOffer | undefined) => Offer
  /** Decides what to do with the remote's offer. What it throws ends the exchange. */
  plan: (theirs: RemoteOffer) => Plan
  /** Resolves when the responder knows these without an answer to its CONNECT. */
  known?: Promise<KnownOffer> | undefined
  /** What the responder does before it plans and has both sides dial. What it throws ends the exchange. */
  beforeSync?: (theirs: RemoteOffer, rttMs: number, signal: AbortSignal) => Promise<void>
}

/** How an exchange ended: it is time to dial. */
export interface ExchangeResult<Plan> {
  plan: Plan
  /** Round trip over the circuit, in milliseconds: between this side's CONNECT and the answer to it, unless it was known before. */
  rttMs: number
  /** Of the responder: rejects if the remote ends the exchange, which may be after the SYNC if the offer came early. */
  confirmed?: Promise<unknown>
}

/**
 * Opens the exchange, as the responder does. Resolves half a round trip after the SYNC was sent.
 *
 * @throws {HolePunchFailedError} `not-supported`, `circuit-closed`, `protocol`, or what `plan` threw
 */
export async function openExchange<Plan>(
  init: ExchangeInit<Plan>,
  options: AbortOptions,
): Promise<ExchangeResult<Plan>> {
  return conclude(init.circuit, async () => {
    // 1. B opens a stream to A.
    const stream = await openOptimisticStream(init.circuit, DCUTR_PROTOCOL)
    return converse(stream, init, options, async messages => {
      // 2. B sends CONNECT with its addresses, and starts a timer.
      const sentAt = performance.now()
      await messages.send(Type.CONNECT, init.offer(undefined))
      // 3. A answers with CONNECT and its own addresses. That was one round trip.
      const answer = messages.receive(Type.CONNECT)
      const confirmed = conclude(init.circuit, async () => answer)
      confirmed.catch(() => {}) // without an early offer, the answer itself is awaited
      const answered = answer.then(offer => ({ offer, rttMs: performance.now() - sentAt }))
      const { offer: theirs, rttMs } = await Promise.race([answered, init.known ?? answered])
      await init.beforeSync?.(theirs, rttMs, messages.signal)
      const plan = init.plan(theirs)
      // 4. B sends SYNC, and dials after half a round trip.
      await messages.send(Type.SYNC)
      await pause(rttMs / 2, undefined, { signal: messages.signal })
      return { plan, rttMs, confirmed }
    })
  })
}

/**
 * Answers the exchange that a responder has opened, as the initiator does. Resolves when the SYNC has come.
 *
 * @throws {HolePunchFailedError} `circuit-closed`, `protocol`, or what `plan` threw; the stream has been reset
 */
export async function answerExchange<Plan>(
  init: ExchangeInit<Plan>,
  stream: Stream,
  options: AbortOptions,
): Promise<ExchangeResult<Plan>> {
  return conclude(init.circuit, async () =>
    converse(stream, init, options, async messages => {
      // 2. B has sent CONNECT.
      const theirs = await messages.receive(Type.CONNECT)
      const plan = init.plan(theirs)
      // 3. A answers with CONNECT.
      const sentAt = performance.now()
      await messages.send(Type.CONNECT, init.offer(theirs))
      // 4. A dials as soon as it receives SYNC.
      await messages.receive(Type.SYNC)
      return { plan, rttMs: performance.now() - sentAt }
    }),
  )
}

/** The messages of one exchange. */
interface Messages {
  readonly signal: AbortSignal
  send(type: number, offer?: Offer): Promise<void>
  receive(type: number): Promise<RemoteOffer>
}

/** Runs a conversation over a stream within the time-out, then closes the stream; resets it if the conversation fails. */
export async function converse<Result>(
  stream: Stream,
  { timeoutMs = EXCHANGE_TIMEOUT_MS }: { timeoutMs?: number },
  options: AbortOptions,
  talk: (messages: Messages) => Promise<Result>,
): Promise<Result> {
  const timeout = AbortSignal.timeout(timeoutMs)
  // a remote that never closes its half would keep the stream, and with it the circuit
  const onTimeout = (): void => stream.abort(timeout.reason as Error)
  timeout.addEventListener('abort', onTimeout, { once: true })
  stream.addEventListener('close', () => timeout.removeEventListener('abort', onTimeout), { once: true })
  const signal = anySignalOf(timeout, options.signal)
  const wire = lpStream(stream, messageBounds(MAX_MESSAGE_BYTES))
  const send: Messages['send'] = async (type, offer = { addrs: [], reachable: [] }) => {
    const { addrs, reachable, encryptions = [] } = offer
    const message = {
      type,
      addrs: addrs.map(it => it.bytes),
      reachable: reachable.map(it => it.bytes),
      encryptions: encryptions.map(it => Buffer.from(it)),
    }
    await wire.write(HolePunchMessage.encode(message), { signal })
  }
  const receive: Messages['receive'] = async type => {
    const received = (await wire.read({ signal })).subarray()
    const message = HolePunchMessage.decode(received)
    if (message.type !== type)
      throw new InvalidMessageError(`expected a message of type ${type}, received ${message.type}`)
    return {
      addrs: parseAddresses(message.addrs ?? [], MAX_ADDRS),
      reachable: parseAddresses(message.reachable ?? [], MAX_ADDRS),
      encryptions: (message.encryptions ?? []).map(it => Buffer.from(it).toString()),
      unknownFields: HolePunchMessage.unknownFields(received),
    }
  }
  try {
    const result = await talk({ signal, send, receive })
    // nothing more follows: go-libp2p closes the stream before it dials, too
    stream.close({ signal }).catch((error: Error) => stream.abort(error))
    return result
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

/** Turns what an exchange failed with into the reason that is reported. */
async function conclude<Result>(circuit: Connection, exchange: () => Promise<Result>): Promise<Result> {
  try {
    return await exchange()
  } catch (error) {
    if (error instanceof HolePunchFailedError) throw error
    const isUnsupported = (error as Error).name === 'UnsupportedProtocolError'
    const reason = circuit.status !== 'open' ? 'circuit-closed' : isUnsupported ? 'not-supported' : 'protocol'
    throw new HolePunchFailedError(reason, circuit.remotePeer.toString(), { cause: error })
  }
}
