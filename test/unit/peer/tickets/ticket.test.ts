/** The text of a ticket. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { parseTarget } from '../../../../peer/connections/target.ts'
import { placesOf } from '../../../../peer/tickets/ticket-issuer.ts'
import { decodeTicket, encodeTicket, MAX_PLACES } from '../../../../peer/tickets/ticket.ts'
import { hideTickets } from '../../../../peer/tickets/prefix.ts'
import type { Ticket } from '../../../../peer/tickets/ticket.ts'

const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const relay = `/ip4/192.0.2.1/tcp/4001/p2p/${peerIdFromPrivateKey(await generateKeyPair('Ed25519'))}`
const ticket: Ticket = {
  peerId,
  places: [multiaddr(relay), multiaddr('/ip4/192.0.2.9/tcp/4001')],
  service: 'ssh',
  secret: randomBytes(24).toString('base64url'),
  expiresAt: new Date('2026-12-01T00:00:00Z'),
}

test('a ticket is read as it was written', () => {
  const { peerId, places, ...rest } = decodeTicket(encodeTicket(ticket))
  assert.ok(peerId.equals(ticket.peerId))
  assert.deepEqual(places.map(String), ticket.places.map(String))
  assert.deepEqual(rest, { service: 'ssh', secret: ticket.secret, expiresAt: ticket.expiresAt })
})

test('a ticket without an end has none when it is read', () => {
  assert.equal(decodeTicket(encodeTicket({ ...ticket, expiresAt: undefined })).expiresAt, undefined)
})

test('a ticket is a target: its peer, at its relays and its own addresses', () => {
  const target = parseTarget(encodeTicket(ticket))
  assert.ok(target.peerId.equals(peerId))
  assert.deepEqual(target.addrs.map(String), [
    `${relay}/p2p-circuit/p2p/${peerId}`,
    `/ip4/192.0.2.9/tcp/4001/p2p/${peerId}`,
  ])
})

test('a text that was cut, mistyped or made up is told from a ticket, and is not repeated', () => {
  const text = encodeTicket(ticket)
  const other = text.at(-9) === 'x' ? 'y' : 'x'
  for (const wrong of [
    text.slice(0, -1),
    text.slice(0, 40),
    'tnat1',
    'tnat10OIl',
    `${text}1`,
    `tnat1${'z'.repeat(2000)}`,
    text.slice(0, -9) + other + text.slice(-8),
  ]) {
    assert.throws(() => decodeTicket(wrong), { message: /^the ticket is damaged/ })
    assert.throws(
      () => parseTarget(wrong),
      (error: Error) =>
        error.name === 'InvalidTargetError' && !error.message.includes(wrong.slice(9, 30) || 'tnat1 '),
    )
  }
})

test('a text whose prefix was cut off is not repeated either', () => {
  const text = encodeTicket(ticket).slice(2)
  assert.throws(
    () => parseTarget(text),
    (error: Error) => error.name === 'InvalidTargetError' && !error.message.includes(text.slice(9)),
  )
})

test('no more places are read than a few', () => {
  const places = Array.from({ length: 20 }, (_, index) => multiaddr(`/ip4/192.0.2.${index}/tcp/4001`))
  assert.equal(decodeTicket(encodeTicket({ ...ticket, places })).places.length, MAX_PLACES)
})

test('tickets are hidden in what is to be shown', () => {
  const text = encodeTicket(ticket)
  assert.equal(hideTickets(`${text}: unexpected argument`), 'tnat1(hidden): unexpected argument')
})

test('a ticket of a peer with eight relays that have long names can be read, and has the first of them', async () => {
  const places = await Promise.all(
    Array.from({ length: MAX_PLACES }, async (_, i) => {
      const relayId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      return multiaddr(`/dns4/relay-${i}.eu-west-1.throughnat.example.org/tcp/443/tls/ws/p2p/${relayId}`)
    }),
  )
  const read = decodeTicket(encodeTicket({ ...ticket, places })).places
  assert.ok(read.length >= 5, `${read.length} places`)
  assert.deepEqual(read.map(String), places.slice(0, read.length).map(String))
})

test('a ticket has places of both families of a peer with hundreds of public addresses', () => {
  const own = Array.from({ length: 300 }, (_, i) => multiaddr(`/ip4/11.0.${i >> 8}.${i & 255}/tcp/4001`))
  const places = placesOf([
    multiaddr(`${relay}/p2p-circuit/p2p/${peerId}`),
    ...own,
    multiaddr('/ip6/2a00::1/tcp/4001'),
  ])
  const read = decodeTicket(encodeTicket({ ...ticket, places })).places.map(String)
  assert.deepEqual([read.length, read[0], read.at(-1)], [MAX_PLACES, relay, '/ip6/2a00::1/tcp/4001'])
})
