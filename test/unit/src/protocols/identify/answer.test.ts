/** How an answer of identify is taken apart into messages. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IdentifyMessage, inParts } from '../../../../../src/protocols/identify/answer.ts'

const lengthOf = (part: IdentifyMessage): number => IdentifyMessage.encode(part).byteLength
const names = (count: number, length = 40): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.from(`/${i}/`.padEnd(length, 'x')))

const base = {
  publicKey: Buffer.alloc(36, 1),
  listenAddrs: Array.from({ length: 74 }, () => Buffer.alloc(8, 2)),
  observedAddr: Buffer.alloc(8, 3),
  signedPeerRecord: Buffer.alloc(1100, 4),
}

describe('an answer', () => {
  it('of up to 4096 bytes is one message', () => {
    const whole = { ...base, protocols: names(20) }
    assert.deepEqual(inParts(whole), [whole])
  })

  for (const count of [48, 60, 100, 150, 500]) {
    it(`with ${count} protocols has no message of more than 4096 bytes, and says everything`, () => {
      const protocols = names(count)
      const parts = inParts({ ...base, protocols })
      for (const part of parts) assert.ok(lengthOf(part) <= 4096)
      assert.ok(parts.length <= 9)
      const { protocols: _first, ...rest } = parts[0]!
      const { signedPeerRecord, ...others } = base
      assert.deepEqual(rest, parts.length === 1 ? base : others)
      assert.deepEqual(
        parts.flatMap(part => part.protocols ?? []),
        protocols,
      )
      assert.deepEqual(
        parts.flatMap(part => part.signedPeerRecord ?? []),
        [signedPeerRecord],
      )
    })
  }

  it('with more protocols than the messages hold that others read has those that they hold, and the record', () => {
    const parts = inParts({ ...base, protocols: names(5000) })
    assert.equal(parts.length, 9)
    assert.deepEqual(parts.at(-1), { signedPeerRecord: base.signedPeerRecord })
  })

  it('with a protocol whose name has exactly the room that is left stays in its message', () => {
    const { signedPeerRecord: _record, ...without } = base
    for (const length of [3000, 3001, 3002, 3003, 3004, 3005]) {
      const parts = inParts({ ...without, protocols: names(2, length) })
      for (const part of parts) assert.ok(lengthOf(part) <= 4096)
    }
  })
})
