/** Which addresses of a remote are dialled one-sidedly. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { reversal, reversalCandidates } from '../../../../../src/holepunch/strategies/reversal.ts'
import type { LocalAddresses } from '../../../../../src/holepunch/candidates.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

const addrs = (...texts: string[]): Multiaddr[] => texts.map(text => multiaddr(text))

const told = addrs(
  '/ip4/8.8.8.8/tcp/1',
  '/ip4/10.0.0.1/tcp/2000',
  '/ip4/127.0.0.1/tcp/3000',
  '/ip4/224.0.0.1/tcp/4',
  '/dns4/example.org/tcp/5',
)

/** The candidates of a node that relays see at this address. */
function seenAt(observed: readonly string[], listening: readonly string[] = []): string[] {
  const local = { observed: addrs(...observed), listening: addrs(...listening), announced: [], reachable: [] }
  return reversed(local)
}

function reversed(local: LocalAddresses): string[] {
  const remote = reversalCandidates(told, local)
  return (reversal({ source: 'identify', role: 'responder', local, remote })?.candidates ?? []).map(String)
}

test('a node that relays see on the public network dials public addresses alone', () => {
  assert.deepEqual(seenAt(['/ip4/11.0.0.1/tcp/9']), ['/ip4/8.8.8.8/tcp/1'])
})

test('a node that no relay has seen dials public addresses alone', () => {
  assert.deepEqual(seenAt([]), ['/ip4/8.8.8.8/tcp/1'])
})

test('a node that a relay sees in a private network dials private addresses, too, and no loopback', () => {
  assert.deepEqual(seenAt(['/ip4/10.0.0.9/tcp/9']), ['/ip4/10.0.0.1/tcp/2000', '/ip4/8.8.8.8/tcp/1'])
})

test('a node that a relay sees on its own host dials loopback, too, the nearest first', () => {
  assert.deepEqual(seenAt(['/ip4/127.0.0.1/tcp/9']), [
    '/ip4/127.0.0.1/tcp/3000',
    '/ip4/10.0.0.1/tcp/2000',
    '/ip4/8.8.8.8/tcp/1',
  ])
})

test('a node never dials what it listens on itself', () => {
  assert.deepEqual(seenAt(['/ip4/127.0.0.1/tcp/9'], ['/ip4/127.0.0.1/tcp/3000', '/ip4/10.0.0.1/tcp/2000']), [
    '/ip4/8.8.8.8/tcp/1',
  ])
})

test('a node never dials what it is announced at', () => {
  const announced = addrs('/ip4/8.8.8.8/tcp/1')
  assert.deepEqual(reversed({ observed: [], listening: [], announced, reachable: [] }), [])
})
