/** The header that tells a local service who a connection comes from, as the specification lays it out. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeProxyHeader } from '../../../../../peer/tunnel/listener/proxy-header.ts'

const peerId = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const signature = '0d0a0d0a000d0a515549540a'
const tlv = `e000${Buffer.of(peerId.length).toString('hex')}${Buffer.from(peerId).toString('hex')}`
const service = { host: '127.0.0.1', port: 80 }

function hex(remoteAddr: string | undefined, to: Parameters<typeof encodeProxyHeader>[1] = service): string {
  const header = encodeProxyHeader(
    { peerId, remoteAddr: remoteAddr === undefined ? undefined : multiaddr(remoteAddr) },
    to,
  )
  return Buffer.from(header).toString('hex')
}

test('a direct peer comes with its address and its id', () => {
  // 12 bytes of addresses and 55 of the field
  assert.equal(hex('/ip4/192.0.2.7/tcp/4001'), `${signature}21110043c00002077f0000010fa10050${tlv}`)
})

test('a direct peer over IPv6 does, too; a service of the other family is left unspecified', () => {
  const from = '20010db8000000000000000000000007'
  const to = '0'.repeat(32)
  assert.equal(hex('/ip6/2001:db8::7/tcp/4001'), `${signature}2121005b${from}${to}0fa10050${tlv}`)
})

test('a relayed peer comes with its id alone', () => {
  assert.equal(hex(undefined), `${signature}21000037${tlv}`)
})

test('a peer that was dialed by its name comes with its id alone', () => {
  assert.equal(hex('/dns4/nas.example/tcp/4001'), `${signature}21000037${tlv}`)
})

test('a Unix socket has no address to tell', () => {
  assert.equal(
    hex('/ip4/192.0.2.7/tcp/4001', { path: '/run/x.sock' }),
    `${signature}21110043c0000207000000000fa10000${tlv}`,
  )
})
