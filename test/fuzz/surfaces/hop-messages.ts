/** The messages of relay, reservation and dial-back, without a stream around them. */

import fc from 'fast-check'
import { RecordEnvelope } from '@libp2p/peer-record'
import { DialBack, DialBackResponse, Message } from '../../../src/protocols/autonat/messages.ts'
import { HopMessage, ReservationVoucher, StopMessage } from '../../../src/protocols/circuit-relay/messages.ts'
import { sealVoucher, VOUCHER_DOMAIN } from '../../../src/protocols/circuit-relay/voucher.ts'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { HolePunchMessage } from '../../../src/holepunch/exchange.ts'
import { IdentifyMessage } from '../../../src/protocols/identify/answer.ts'
import { garbage, mutated, protobuf, single } from '../frames.ts'
import { allow, assertAllowed, joined } from '../surface.ts'
import type { Entry, Surface } from '../surface.ts'

/** What a decoder of protobuf throws at bytes that are no message. */
const DECODE_ERRORS = ['Error', 'RangeError', 'TypeError', 'InvalidMessageError']

/** A peer that is the same in each run, so that inputs that name it can be replayed. */
export const KEY = await generateKeyPairFromSeed('Ed25519', Buffer.alloc(32, 7))
export const PEER = peerIdFromPrivateKey(KEY)
const ID = PEER.toMultihash().bytes
const ADDR = Buffer.from('047f00000106' + '0fa1', 'hex')

interface Codec {
  encode(value: never): Uint8Array
  decode(bytes: Uint8Array): unknown
}

function decoder(name: string, codec: Codec, values: readonly object[], fields: readonly number[]): Entry {
  const valid = values.map(it => codec.encode(it as never))
  return {
    name,
    inputs: single(fc.oneof(mutated(valid), protobuf(fields), protobuf(fields, 0), garbage)),
    valid: valid.map(it => [it]),
    start: () => input =>
      allow(DECODE_ERRORS, () => {
        const read = codec.decode(joined(input))
        // what was read can be written, and reads the same
        const written = codec.encode(read as never)
        if (!Buffer.from(codec.encode(codec.decode(written) as never)).equals(written))
          throw new DecodedTwiceError()
      }),
  }
}

/** Not among the errors that a decoder may throw. */
class DecodedTwiceError extends Error {
  override readonly name = 'DecodedTwiceError'
}

const sealed = await sealVoucher({ relay: PEER, peer: PEER, expiresAt: 4_000_000_000, privateKey: KEY })

const envelope: Entry = {
  name: 'envelope',
  inputs: single(fc.oneof(mutated([sealed]), protobuf([1, 2, 3, 5]))),
  valid: [[sealed]],
  start: () => async input => {
    try {
      const { payload } = await RecordEnvelope.openAndCertify(joined(input), VOUCHER_DOMAIN, {})
      ReservationVoucher.decode(payload)
    } catch (error) {
      assertAllowed(
        [
          ...DECODE_ERRORS,
          'InvalidSignatureError',
          'InvalidPublicKeyError',
          'UnsupportedKeyTypeError',
          'InvalidParametersError',
          'DataError',
          'InvalidMultihashError',
        ],
        error,
      )
    }
  },
}

export const hopMessages: Surface = {
  name: 'hop-messages',
  entries: [
    decoder(
      'hop',
      HopMessage,
      [
        { type: 0 },
        { type: 1, peer: { id: ID, addrs: [ADDR] } },
        {
          type: 2,
          status: 100,
          reservation: { expire: 4_000_000_000, addrs: [ADDR], voucher: sealed, remainingMs: 3_600_000 },
          limit: { duration: 120, data: 131_072 },
        },
      ],
      [1, 2, 3, 4, 5],
    ),
    decoder(
      'stop',
      StopMessage,
      [
        { type: 0, peer: { id: ID, addrs: [] }, limit: { duration: 120, data: 131_072 } },
        { type: 1, status: 100 },
      ],
      [1, 2, 3, 4],
    ),
    decoder('voucher', ReservationVoucher, [{ relay: ID, peer: ID, expiration: 4_000_000_000 }], [1, 2, 3]),
    envelope,
    decoder(
      'autonat',
      Message,
      [
        { dialRequest: { addrs: [ADDR], nonce: 7n } },
        { dialResponse: { status: 200, addrIdx: 0, dialStatus: 200 } },
        { dialDataRequest: { addrIdx: 0, numBytes: 30_000 } },
      ],
      [1, 2, 3],
    ),
    decoder('dial-back', DialBack, [{ nonce: 2n ** 64n - 1n }], [1, 2]),
    decoder('dial-back-response', DialBackResponse, [{ status: 0 }], [1]),
    decoder(
      'dcutr',
      HolePunchMessage,
      [{ type: 100, addrs: [ADDR], reachable: [ADDR] }, { type: 300 }],
      [1, 2, 1001],
    ),
    decoder(
      'identify',
      IdentifyMessage,
      [{ protocols: [Buffer.from('/a/1')], agentVersion: Buffer.from('x'), listenAddrs: [ADDR] }],
      [1, 2, 3, 4, 5, 6, 8],
    ),
  ],
}
