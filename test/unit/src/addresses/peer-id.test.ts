/** Peer ids in all their text forms. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { parseMultiaddr, parsePeerId, withBase58Ids } from '../../../../src/addresses/peer-id.ts'
import { parseTarget } from '../../../../peer/connections/target.ts'
import { RelayList } from '../../../../peer/relays/relay-list.ts'
import { RelaySightings } from '../../../../src/transport/relay-sightings.ts'

const ED25519 = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const RSA = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'

function formsOf(id: string): string[] {
  const cid = peerIdFromString(id).toCID()
  const [in32, in36] = [cid.toString(base32), cid.toString(base36)]
  return [id, in32, in36, in32.toUpperCase(), in36.toUpperCase(), cid.toString(base58btc)]
}

for (const id of [ED25519, RSA]) {
  describe(`the peer id ${id}`, () => {
    for (const form of formsOf(id)) {
      it(`is read as ${form}, alone, in an address, in a circuit, and as a target`, () => {
        assert.equal(parsePeerId(form).toString(), id)
        assert.equal(
          parseMultiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${form}`).toString(),
          `/ip4/192.0.2.1/tcp/1/p2p/${id}`,
        )
        const circuit = `/dns4/x/tcp/1/p2p/${form}/p2p-circuit/p2p/${form}`
        const expected = `/dns4/x/tcp/1/p2p/${id}/p2p-circuit/p2p/${id}`
        assert.equal(parseMultiaddr(circuit).toString(), expected)
        assert.deepEqual(parseTarget(circuit).addrs.map(String), [expected])
        assert.equal(parseTarget(form).peerId.toString(), id)
      })
    }

    it('is the same relay in every form', () => {
      const addrs = formsOf(id)
        .slice(0, 3)
        .map(form => multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${form}`))
      assert.equal(new RelayList(addrs).relays.length, 1)
      for (const noted of addrs) {
        const sightings = new RelaySightings()
        sightings.note([noted.encapsulate('/p2p-circuit')])
        for (const addr of addrs) assert.equal(sightings.has(addr), true)
      }
    })
  })
}

it('a mistyped peer id is an error, wherever it stands', () => {
  for (const wrong of [ED25519.slice(0, -1), `${ED25519}x`, 'bafzaajaiaejc', 'k51qzi5uqu5dj0', 'Qm', '']) {
    assert.throws(() => parsePeerId(wrong), /expected a complete peer id/)
    assert.throws(() => parseTarget(`/ip4/192.0.2.1/tcp/1/p2p/${wrong}`), { name: 'InvalidTargetError' })
  }
})

it('an address without peer ids, or with all of them in base58, stays the same object', () => {
  for (const text of ['/ip4/192.0.2.1/tcp/1', `/ip4/192.0.2.1/tcp/1/p2p/${ED25519}`]) {
    const addr = multiaddr(text)
    assert.equal(withBase58Ids(addr), addr)
  }
})

describe('a text that costs more than it is worth', () => {
  // decoding base58 takes quadratic time: 44,000 characters took 5 s
  for (const first of ['1', 'Q', 'z', 'k', 'b'])
    for (const [what, read] of [
      ['a peer id', (text: string) => parsePeerId(text)],
      ['an address', (text: string) => parseMultiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${text}`)],
      ['a target', (text: string) => parseTarget(text)],
    ] as const)
      it(`as ${what} that begins with ${first} is refused without being decoded`, () => {
        const before = process.cpuUsage().user
        assert.throws(() => read(first + 'z'.repeat(60_000)))
        assert.ok(process.cpuUsage().user - before < 50_000)
      })

  it('refuses an address with a malformed escape', () => {
    assert.throws(() => parseMultiaddr('/unix/%'), { name: 'Error', message: /hexadecimal/ })
  })
})
