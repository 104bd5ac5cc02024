/** Which punch gets an inbound socket. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InboundClaims } from '../../../../src/transport/inbound-claims.ts'
import type { InboundClaim } from '../../../../src/transport/inbound-claims.ts'

function claimOn(host: string, port: number): InboundClaim {
  return {
    matchesEndpoint: (otherHost, otherPort) => host === otherHost && port === otherPort,
    matchesHost: otherHost => host === otherHost,
    take: () => {},
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
