/** Strangers who take all the places that a peer has for connections, and the peers that must get in all the same. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRelay } from '../../relay/index.ts'
import { crowd, issueTicket, openSilent, startStranger, startVictim, visit } from './stranger-stage.ts'
import type { Libp2p } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { RelayInit } from '../../relay/index.ts'

const LIMIT = { timeout: 90_000 }

async function startRelay(t: TestContext, init: RelayInit = {}): Promise<string> {
  const relay = await createRelay({ profile: 'private', listen: ['/ip4/127.0.0.1/tcp/0'], ...init })
  t.after(() => relay.stop())
  return String(relay.addrs[0])
}

async function strangers(t: TestContext, count: number): Promise<Libp2p[]> {
  return Promise.all(Array.from({ length: count }, () => startStranger(t)))
}

test('idle circuits of five strangers lock out neither a named peer nor a ticket holder', LIMIT, async t => {
  const victim = await startVictim(t, [await startRelay(t)])
  const ticket = await issueTicket(t, victim)
  const usualMs = await visit(victim, { privateKey: victim.named })
  const opened = await crowd(await strangers(t, 5), victim.addr, 62)
  t.diagnostic(`${opened.length} opened, ${opened.filter(it => it.status === 'open').length} are open`)
  const namedMs = await visit(victim, { privateKey: victim.named })
  const ticketMs = await visit(victim, { ticket })
  t.diagnostic(`named ${usualMs.toFixed(0)} -> ${namedMs.toFixed(0)} ms, ticket ${ticketMs.toFixed(0)} ms`)
  assert.ok(namedMs < 2 * usualMs + 50)
})

test('silent sockets at the own port lock out nobody, over the relay or directly', LIMIT, async t => {
  const victim = await startVictim(t, [await startRelay(t)])
  const ticket = await issueTicket(t, victim)
  await openSilent(
    t,
    victim.port,
    Array.from({ length: 70 }, () => '127.0.0.1'),
  )
  t.diagnostic(`named ${(await visit(victim, { privateKey: victim.named })).toFixed(0)} ms`)
  t.diagnostic(`ticket ${(await visit(victim, { ticket })).toFixed(0)} ms`)
  await visit(victim, { privateKey: victim.named, addr: victim.direct })
})
