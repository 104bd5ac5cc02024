/** Which punch gets an inbound socket. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HostTurns } from '../../../../src/transport/host-turns.ts'
import { InboundClaims } from '../../../../src/transport/inbound-claims.ts'
import { turns } from '../../../waits.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { InboundClaim } from '../../../../src/transport/inbound-claims.ts'

function claimOn(host: string, port: number, isRight?: boolean): InboundClaim {
  return {
    matchesEndpoint: (otherHost, otherPort) => host === otherHost && port === otherPort,
    matchesHost: otherHost => host === otherHost,
    take: async () => isRight,
  }
}

test('nobody gets a socket that nobody waits for', () => {
  const claims = new InboundClaims()
  claims.add(claimOn('8.8.8.8', 1))
  assert.equal(claims.find('9.9.9.9', 1), undefined)
})

test('the exact endpoint goes before the host alone, whoever came first', () => {
  const claims = new InboundClaims()
  const [one, two] = [claimOn('8.8.8.8', 1), claimOn('8.8.8.8', 2)]
  claims.add(one)
  claims.add(two)
  assert.equal(claims.find('8.8.8.8', 2), two)
  assert.equal(claims.find('8.8.8.8', 1), one)
})

test('another port of the host goes to the first who waits for the host', () => {
  const claims = new InboundClaims()
  const [one, two] = [claimOn('8.8.8.8', 1), claimOn('8.8.8.8', 2)]
  claims.add(one)
  claims.add(two)
  assert.equal(claims.find('8.8.8.8', 3), one)
})

test('the next socket of an endpoint goes to another who waits for it: one of them may be lying', () => {
  const claims = new InboundClaims()
  const [one, two] = [claimOn('8.8.8.8', 1), claimOn('8.8.8.8', 1)]
  const withdraw = claims.add(one)
  claims.add(two)
  assert.deepEqual([claims.find('8.8.8.8', 1), claims.find('8.8.8.8', 1)], [one, two])
  assert.equal(claims.find('8.8.8.8', 1), one)
  withdraw()
  assert.equal(claims.find('8.8.8.8', 1), two)
  assert.equal(claims.find('8.8.8.8', 1), two)
})

test('a claim that was withdrawn gets nothing, and others still do', () => {
  const claims = new InboundClaims()
  const two = claimOn('8.8.8.8', 2)
  const withdraw = claims.add(claimOn('8.8.8.8', 1))
  claims.add(two)
  withdraw()
  withdraw()
  assert.equal(claims.find('8.8.8.8', 1), two)
})

const socket = {} as MultiaddrConnection

/** Offers sockets of one host, one after the other. Returns how many a claim has taken. */
async function offered(claims: InboundClaims, count: number, host = '8.8.8.8', port = 9): Promise<number> {
  let taken = 0
  for (let n = 0; n < count; n++) {
    if (claims.offer(socket, host, port)) taken++
    await turns(1)
  }
  return taken
}

test('the first socket of a host goes to the claim on it', async () => {
  const claims = new InboundClaims()
  claims.add(claimOn('8.8.8.8', 1))
  assert.equal(await offered(claims, 1), 1)
})

test('a claim that took the socket of another peer loses the host, and no other host', async () => {
  const claims = new InboundClaims()
  const [one, other] = [claimOn('8.8.8.8', 1, false), claimOn('9.9.9.9', 1, false)]
  const both: InboundClaim = {
    matchesEndpoint: (host, port) => one.matchesEndpoint(host, port) || other.matchesEndpoint(host, port),
    matchesHost: host => one.matchesHost(host) || other.matchesHost(host),
    take: async () => false,
  }
  claims.add(both)
  assert.equal(await offered(claims, 100), 1)
  assert.equal(await offered(claims, 100, '8.8.8.8', 1), 0, 'nor the exact endpoint')
  assert.equal(await offered(claims, 100, '9.9.9.9'), 1)
})

test('of the sockets of a host at most every other one goes to claims that prove nothing', async () => {
  for (const isRight of [undefined, false]) {
    const claims = new InboundClaims()
    for (let n = 0; n < 24; n++) claims.add(claimOn('8.8.8.8', 9, isRight))
    const taken = await offered(claims, 40)
    assert.ok(taken <= 20, `${taken} of 40`)
  }
})

test('a stranger who claims a host with one punch after the other leaves 9 of 10 sockets to others', async () => {
  let now = 0
  const claims = new InboundClaims(new HostTurns(() => now))
  let taken = 0
  for (let punch = 0; punch < 200; punch++) {
    const withdrawals = Array.from({ length: 24 }, () => claims.add(claimOn('8.8.8.8', 9, false)))
    taken += await offered(claims, 5)
    for (const withdraw of withdrawals) withdraw()
    now += 5_000
  }
  assert.ok(taken < 100, `${taken} of 1,000`)
  // and is forgotten a minute after the last one
  now += 61_000
  for (let n = 0; n < 40; n++) claims.offer(socket, '8.8.8.8', 9)
  claims.add(claimOn('8.8.8.8', 9, true))
  assert.ok((await offered(claims, 32)) > 0)
})

test('a claim that has proved itself makes the host as new', async () => {
  const claims = new InboundClaims()
  claims.add(claimOn('8.8.8.8', 9, true))
  assert.equal(await offered(claims, 10), 10)
})

test('one host does not pay for another', async () => {
  const claims = new InboundClaims()
  for (let n = 0; n < 24; n++) claims.add(claimOn('8.8.8.8', 9, false))
  claims.add(claimOn('9.9.9.9', 9))
  await offered(claims, 100)
  assert.equal(await offered(claims, 1, '9.9.9.9'), 1)
})

test('turns are remembered of a bounded number of hosts', () => {
  const hosts = new HostTurns()
  for (let n = 0; n < 5_000; n++) hosts.take(`host-${n}`)
  assert.equal(hosts.take('host-0'), true, 'forgotten')
  assert.equal(hosts.take('host-4999'), false)
})
