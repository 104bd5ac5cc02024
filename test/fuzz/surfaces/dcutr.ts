/** The exchange of DCUtR, on both sides. Nothing is dialled: the exchange ends before. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import {
  answerExchange,
  DCUTR_PROTOCOL,
  HolePunchMessage,
  openExchange,
} from '../../../src/holepunch/exchange.ts'
import { EarlyOffer } from '../../../src/holepunch/early-offer.ts'
import { proposalOf } from '../../../src/protocols/optimistic-stream.ts'
import { conversation, framed, lengthPrefixed, mutated, protobuf } from '../frames.ts'
import { sendAll } from '../nodes.ts'
import { assertAllowed } from '../surface.ts'
import { PEER } from './hop-messages.ts'
import type { Connection } from '@libp2p/interface'
import type { RemoteOffer } from '../../../src/holepunch/exchange.ts'
import type { Entry, Surface } from '../surface.ts'

const OFFER = { addrs: [multiaddr('/ip4/11.0.0.1/tcp/1')], reachable: [multiaddr('/ip6/2001:db8::1/tcp/1')] }
const connect = framed(
  HolePunchMessage.encode({
    type: 100,
    addrs: OFFER.addrs.map(it => it.bytes),
    reachable: OFFER.reachable.map(it => it.bytes),
  }),
)
const sync = framed(HolePunchMessage.encode({ type: 300 }))

const frames = fc.oneof(
  { weight: 2, arbitrary: mutated([connect, sync]) },
  { weight: 1, arbitrary: lengthPrefixed(protobuf([1, 2, 1001], 0)) },
)
const inputs = conversation(frames, 4)

const init = { offer: () => OFFER, plan: (theirs: RemoteOffer) => theirs, timeoutMs: 5_000 }

const answer: Entry = {
  name: 'answer',
  inputs,
  valid: [[connect]],
  start: () => async input => {
    const [left, right] = await streamPair()
    const circuit = {
      status: 'open',
      remotePeer: PEER,
      muxer: { createStream: async () => left },
    } as unknown as Connection
    const done = openExchange({ ...init, circuit }, {}).catch((error: unknown) =>
      assertAllowed(['HolePunchFailedError'], error),
    )
    right.resume()
    await sendAll(right, [proposalOf(DCUTR_PROTOCOL), ...input])
    await done
  },
}

const open: Entry = {
  name: 'open',
  inputs,
  valid: [[connect, sync]],
  start: () => async input => {
    const [left, right] = await streamPair()
    const circuit = { status: 'open', remotePeer: PEER } as unknown as Connection
    const done = answerExchange({ ...init, circuit }, left, {}).catch((error: unknown) =>
      assertAllowed(['HolePunchFailedError'], error),
    )
    right.resume()
    await sendAll(right, input)
    await done
  },
}

const early: Entry = {
  name: 'early-offer',
  inputs,
  valid: [[connect]],
  start: () => async input => {
    const [left, right] = await streamPair()
    const circuit = { status: 'open', remotePeer: PEER, timeline: {} } as unknown as Connection
    const over = new AbortController()
    const early = new EarlyOffer({
      circuit,
      signal: over.signal,
      log: () => {},
      exchangeTimeoutMs: 5_000,
    } as never)
    const done = early.receive(left)
    right.resume()
    await sendAll(right, input)
    // nothing answers an offer that has not ended
    await nextTurn()
    over.abort()
    await done
  },
}

export const dcutr: Surface = { name: 'dcutr', entries: [answer, open, early] }
