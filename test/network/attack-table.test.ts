/** Attacks by strangers who connect: 1 MiB costs at most 50 ms of processor, and delays others by at most 50 ms. */

import { describe, it } from 'node:test'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import { DIAL_BACK_PROTOCOL, DIAL_REQUEST_PROTOCOL } from '../../src/protocols/autonat/messages.ts'
import { RELAY_TOKEN_PROTOCOL } from '../../src/protocols/relay-auth.ts'
import { TUNNEL_PROTOCOL } from '../../peer/tunnel/wire/protocol.ts'
import { attackSecured, attackSocket, proposal } from './attacks/attacker.ts'
import * as messages from './attacks/messages.ts'
import { onStreams, stage, tunnelRequest } from './attacks/stage.ts'
import {
  fieldAttacks,
  handshakeAttacks,
  lengthAttacks,
  MIB,
  negotiationAttacks,
  SECURED_MESSAGES,
} from './attacks/table.ts'
import { message, SYNC } from './dcutr-message.ts'
import { HOP, RESERVE, STOP } from './hop-client.ts'
import type { Attack, MessageInit } from './attacks/table.ts'

const LIMIT = { timeout: 170_000 }

const set = stage()

const attacksOn = (init: MessageInit): Attack[] => [...lengthAttacks(init), ...fieldAttacks(init)]

for (const name of ['relay', 'peer'] as const)
  describe(`1 MiB costs a ${name} at most 50 ms`, LIMIT, () => {
    it('on a socket before encryption', async () => {
      const victim = set[name]
      const send = async (bytes: Buffer): Promise<void> => attackSocket(victim.port, bytes)
      await set.rule.hold({ victim, valid: proposal('/noise'), send }, negotiationAttacks('/noise'))
    })

    it('in the handshake', async () => {
      const victim = set[name]
      const send = async (bytes: Buffer): Promise<void> =>
        attackSocket(victim.port, Buffer.concat([proposal('/noise'), bytes]))
      await set.rule.hold({ victim, valid: Buffer.alloc(34), send }, handshakeAttacks())
    })

    it('on an encrypted connection before multiplexing', async () => {
      const victim = set[name]
      const send = async (bytes: Buffer): Promise<void> =>
        attackSecured(victim.addr, secured => secured.send(bytes))
      await set.rule.hold({ victim, valid: proposal('/x'), send }, negotiationAttacks('/yamux/1.0.0'))
    })

    it('in messages of an encrypted connection that carry nothing', async () => {
      const victim = set[name]
      for (const [what, make] of SECURED_MESSAGES) {
        const send = async (bytes: Buffer): Promise<void> =>
          attackSecured(victim.addr, ({ handshake, stream }) => {
            const one = (): Buffer => make(plain => handshake.encrypt(plain).subarray())
            const count = Math.floor(bytes.byteLength / one().byteLength)
            stream.send(Buffer.concat(Array.from({ length: count }, one)))
          })
        await set.rule.hold({ victim, valid: Buffer.alloc(64), send }, [
          { name: what, bytes: Buffer.alloc(MIB) },
        ])
      }
    })

    it('on a stream without a protocol', async () => {
      const attacker = name === 'relay' ? set.toRelay : set.toPeer
      const send = async (bytes: Buffer, streams: number): Promise<void> => attacker.send(bytes, streams)
      await set.rule.hold(
        { victim: set[name], valid: proposal('/x'), send },
        negotiationAttacks('/ipfs/ping/1.0.0'),
      )
    })
  })

describe('1 MiB costs a relay at most 50 ms', LIMIT, () => {
  it('in a request for a reservation or a circuit', async () => {
    const { relay, toRelay, rule } = set
    await rule.hold(onStreams(relay, toRelay, HOP, RESERVE), attacksOn(messages.HOP_MESSAGE))
  })

  it('in a request to be dialled back', async () => {
    const { relay, toRelay, rule } = set
    const attacks = [...attacksOn(messages.AUTONAT_MESSAGE), ...messages.dialRequests()]
    await rule.hold(onStreams(relay, toRelay, DIAL_REQUEST_PROTOCOL, Buffer.of(0)), attacks)
  })

  it('in a token', async () => {
    const { relay, toRelay, rule } = set
    await rule.hold(
      onStreams(relay, toRelay, RELAY_TOKEN_PROTOCOL, Buffer.from('\x05token')),
      attacksOn(messages.TOKEN_MESSAGE),
    )
  })
})

describe('1 MiB costs a peer at most 50 ms', LIMIT, () => {
  it('in the announcement of a circuit', async () => {
    const { peer, toPeer, rule } = set
    await rule.hold(onStreams(peer, toPeer, STOP, Buffer.of(2, 8, 1)), attacksOn(messages.STOP_MESSAGE))
  })

  it('in a dial-back', async () => {
    const { peer, toPeer, rule } = set
    const nonce = Buffer.concat([Buffer.of(9, 9), Buffer.alloc(8, 1)])
    await rule.hold(onStreams(peer, toPeer, DIAL_BACK_PROTOCOL, nonce), attacksOn(messages.DIAL_BACK_MESSAGE))
  })

  it('in an exchange of DCUtR that it answers', async () => {
    const { peer, circuit, rule } = set
    await rule.hold(
      onStreams(peer, circuit, DCUTR_PROTOCOL, message(SYNC)),
      attacksOn(messages.DCUTR_MESSAGE),
    )
  })

  it('in a request for a service', async () => {
    const { peer, toPeer, rule } = set
    await rule.hold(
      onStreams(peer, toPeer, TUNNEL_PROTOCOL, Buffer.from('\x02{}')),
      attacksOn(messages.TUNNEL_MESSAGE),
    )
  })

  it('in the frames of a tunnel', async () => {
    const { peer, toPeer, rule } = set
    const send = async (bytes: Buffer, streams: number): Promise<void> =>
      toPeer.send(Buffer.concat([proposal(TUNNEL_PROTOCOL), tunnelRequest(), bytes]), streams)
    await rule.hold({ victim: peer, valid: Buffer.of(2), send }, messages.frameAttacks())
  })
})
