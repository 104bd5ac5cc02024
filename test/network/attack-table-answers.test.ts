/** Attacks by remotes whom a node asks: 1 MiB costs at most 50 ms of processor, and delays others by at most 50 ms. */

import { after, before, describe, it } from 'node:test'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import { DIAL_REQUEST_PROTOCOL } from '../../src/protocols/autonat/messages.ts'
import { RELAY_TOKEN_PROTOCOL } from '../../src/protocols/relay-auth.ts'
import { TUNNEL_PROTOCOL } from '../../peer/tunnel/wire/protocol.ts'
import { addrOf, answerStreams, proposal, sendAll, startAttacker, startListener } from './attacks/attacker.ts'
import { envelopeAttacks } from './attacks/envelopes.ts'
import * as messages from './attacks/messages.ts'
import { stage } from './attacks/stage.ts'
import { fieldAttacks, handshakeAttacks, lengthAttacks, negotiationAttacks } from './attacks/table.ts'
import { message, SYNC } from './dcutr-message.ts'
import { field, framed, HOP } from './hop-client.ts'
import type { Libp2p } from '@libp2p/interface'
import type { Question } from './attacks/victim-process.ts'
import type { Attack, MessageInit } from './attacks/table.ts'

const LIMIT = { timeout: 170_000 }

/** Times that a victim asks, one after another, in an attack that is one message. */
const TIMES = 4

const IDENTIFY = '/ipfs/id/1.0.0'

const set = stage()

let hostile: Libp2p
let answer: Buffer = Buffer.alloc(0)
const closers: Array<() => unknown> = []
const t = { after: (close: () => unknown) => void closers.push(close) }

before(async () => {
  hostile = await startAttacker(t)
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

/** The tables of a message, with fewer streams: a question is asked once the last is answered. */
function attacksOn(init: MessageInit, times = TIMES): Attack[] {
  const fields = fieldAttacks(init).map(it => ({ ...it, streams: times }))
  return [...lengthAttacks(init), ...fields]
}

async function answerOn(protocol: string): Promise<void> {
  await hostile.handle(protocol, async stream => sendAll(stream, answer), {
    maxInboundStreams: 1_000,
    runOnLimitedConnection: true,
    force: true,
  })
}

/** Asks a hostile remote that answers with the bytes of each attack. */
async function holdAnswers(
  question: Question,
  addr: string,
  valid: Buffer,
  attacks: Attack[],
): Promise<void> {
  const { peer, rule } = set
  const send = async (bytes: Buffer, times: number): Promise<void> => {
    answer = bytes
    for (let n = 0; n < times; n++) await peer.ask(question, addr)
  }
  await rule.hold({ victim: peer, valid, send }, attacks)
}

describe('1 MiB of an answer costs a peer at most 50 ms', LIMIT, () => {
  for (const [what, question, protocol, valid, init] of [
    ['to a request for a reservation', 'reserve', HOP, Buffer.of(4, 8, 2, 40, 100), messages.HOP_ANSWER],
    ['to a request for a circuit', 'circuit', HOP, Buffer.of(4, 8, 2, 40, 100), messages.HOP_ANSWER],
    [
      'to a request to be dialled back',
      'dial-back',
      DIAL_REQUEST_PROTOCOL,
      Buffer.of(0),
      messages.AUTONAT_MESSAGE,
    ],
    ['to a token', 'token', RELAY_TOKEN_PROTOCOL, Buffer.of(1, 1), { maxBytes: 1 }],
    ['to DCUtR', 'dcutr', DCUTR_PROTOCOL, message(SYNC), messages.DCUTR_MESSAGE],
    ['to a ping', 'ping', '/ipfs/ping/1.0.0', Buffer.alloc(32), { maxBytes: 32 }],
    ['to a request for a service', 'tunnel', TUNNEL_PROTOCOL, Buffer.from('\x02{}'), messages.TUNNEL_MESSAGE],
  ] as const)
    it(what, async () => {
      await answerOn(protocol)
      // a relay that agrees and says no more is waited for
      const attacks = attacksOn(init, question === 'circuit' ? 1 : TIMES)
      await holdAnswers(question, addrOf(hostile), valid, attacks)
    })

  it('to a request for a reservation, in its voucher', async () => {
    await answerOn(HOP)
    const answerWith = (voucher: Buffer): Buffer =>
      Buffer.concat([
        field(1, 2),
        field(5, 100),
        field(3, Buffer.concat([field(1, 2 ** 31), field(3, voucher)])),
      ])
    const attacks = await envelopeAttacks('voucher', answerWith, 15_000)
    await holdAnswers('reserve', addrOf(hostile), Buffer.of(4, 8, 2, 40, 100), attacks)
  })

  it('to identify, in a signed record', async () => {
    await answerOn(IDENTIFY)
    const { before } = messages.identifyMessage(hostile.peerId)
    const answerWith = (record: Buffer): Buffer => Buffer.concat([before, field(8, record)])
    const attacks = await envelopeAttacks('record', answerWith, 16_000)
    await holdAnswers('identify', addrOf(hostile), framed(before), attacks)
  })

  it('to identify', async () => {
    await answerOn(IDENTIFY)
    const init = messages.identifyMessage(hostile.peerId)
    const valid = framed(init.before)
    // what is merged from several messages costs as much as in one
    const repeated = fieldAttacks(init).map(({ name, bytes }) => ({
      name: `ten times ${name}`,
      bytes: Buffer.concat(Array.from({ length: 10 }, () => bytes)),
    }))
    await holdAnswers('identify', addrOf(hostile), valid, [...attacksOn(init), ...repeated])
  })

  it('to a proposal on a stream', async () => {
    const node = await startAttacker(t)
    answerStreams(node, stream => void sendAll(stream, answer))
    await holdAnswers('stream', addrOf(node), proposal('/x'), negotiationAttacks('/x'))
  })

  it('to a proposal on a socket', async () => {
    const port = await startListener(t, () => answer)
    const addr = `/ip4/127.0.0.1/tcp/${port}/p2p/${hostile.peerId}`
    await holdAnswers('stream', addr, proposal('/noise'), negotiationAttacks('/noise'))
  })

  it('in a handshake', async () => {
    const port = await startListener(t, () => Buffer.concat([proposal('/noise'), answer]))
    const addr = `/ip4/127.0.0.1/tcp/${port}/p2p/${hostile.peerId}`
    await holdAnswers('stream', addr, Buffer.alloc(34), handshakeAttacks())
  })
})
