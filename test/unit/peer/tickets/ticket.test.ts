/** The text of a ticket. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { parseTarget } from '../../../../peer/connections/target.ts'
import { decodeTicket, encodeTicket, hideTickets, MAX_PLACES } from '../../../../peer/tickets/ticket.ts'
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
