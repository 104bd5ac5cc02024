/**
 * All attacks of strangers at one relay and one peer together, and those who must get in all the same. `npm run bench:attack` measures the
 * same attacks one by one.
 *
 * The machine is shared, also with the attackers. So each visit under attack is followed by one of a peer that nobody attacks, and the two are
 * compared. The attackers have a low priority, because real ones have machines of their own.
 */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import os from 'node:os'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { combined } from '../../scripts/bench/attack/combined.ts'
import { Child } from '../../scripts/bench/child.ts'
import { median } from '../../scripts/bench/stats.ts'
import { once } from '../waits.ts'
import { directory, Program, RELAY } from './program.ts'
import { issueTicket, startVictim, visit, visitInTime } from './stranger-stage.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Victim } from './stranger-stage.ts'

/** How much longer a named peer's new connection may take under attack. */
const MOST = 2

/** A ticket holder gets in within this time, in milliseconds. */
const TICKET_MS = 10_000

/** Visits of each peer. */
const VISITS = 15

/** Longer than the visits take: the attack ends with the test. */
const ATTACK_SECONDS = 120

/** All circuits and connections of an attack are open by then. */
const BEGIN_MS = 3_000

const TCP = '/ip4/127.0.0.1/tcp/0'

/** Answers after 2.9 s, as long as a relay waits, unless the relay itself or a visitor asks, who come from another address. */
async function startAdmission(t: TestContext): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isHostile = (await text(request)).includes('/ip4/127.0.0.2/')
    if (isHostile) await pause(2_900)
    response.end(JSON.stringify({ allow: !isHostile }))
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

interface RelayAt {
  addr: string
  port: number
  webSocketPort: number
  statusPort: number
}

async function startRelay(t: TestContext): Promise<RelayAt> {
  const listen = [TCP, `${TCP}/ws`].flatMap(it => ['--listen', it])
  const more = ['--status', '127.0.0.1:0', '--admission-url', await startAdmission(t)]
  const program = new Program(t, RELAY, ['--json', '--data-dir', await directory(t), ...listen, ...more])
  const { addrs, status } = await program.line('relay:ready')
  const find = (isWebSocket: boolean): string =>
    (addrs as string[]).find(it => it.includes('/ws/') === isWebSocket) ?? ''
  return {
    addr: find(false),
    port: portOf(find(false)),
    webSocketPort: portOf(find(true)),
    statusPort: Number(new URL(String(status)).port),
  }
}

function portOf(addr: string): number {
  return Number(/\/tcp\/(\d+)/.exec(addr)?.[1])
}

/**
 * Starts the attackers. They do what they can until the test is over. Returns a function that tells whether they still do.
 */
async function attack(t: TestContext, relay: RelayAt, victim: Victim): Promise<() => boolean> {
  const attacker = new Child(new URL('../../scripts/bench/attack/attacker.ts', import.meta.url))
  t.after(() => attacker.stop())
  os.setPriority(attacker.pid, os.constants.priority.PRIORITY_LOW)
  const orders = combined({ relay, peer: { ...victim, ownAddr: victim.direct } }, ATTACK_SECONDS)
  let isOver = false
  const end = (): void => void (isOver = true)
  attacker.do('attack', orders, ATTACK_SECONDS * 2_000).then(end, end)
  await pause(BEGIN_MS)
  return () => !isOver
}

describe('under all attacks together', { timeout: 240_000 }, () => {
  it("a named peer's new connection takes at most twice its usual time, and a ticket holder gets in within 10 s", async t => {
    const relay = await startRelay(t)
    const victim = await startVictim(t, [relay.addr])
    const quiet = await startVictim(t, [(await startRelay(t)).addr])
    const ticket = await issueTicket(t, victim)
    const once = async (of: Victim): Promise<number> => visit(of, { privateKey: of.named })
    // compiles what the others use
    await Promise.all([once(victim), once(quiet)])
    const isUnderAttack = await attack(t, relay, victim)
    const [attacked, usual]: [number[], number[]] = [[], []]
    for (let n = 0; n < VISITS; n++) {
      attacked.push(await once(victim))
      usual.push(await once(quiet))
    }
    const ticketMs = await visitInTime(victim, ticket, TICKET_MS)
    assert.ok(isUnderAttack(), 'the attack has ended before the visits')
    // what else the machine does changes from one second to the next, and much less between two visits
    const ratio = median(attacked.map((ms, n) => ms / (usual[n] ?? 0)))
    const times = `${median(usual).toFixed(0)} -> ${median(attacked).toFixed(0)} ms, ${ratio.toFixed(2)} times`
    t.diagnostic(`named ${times}; ticket ${ticketMs.toFixed(0)} ms`)
    assert.ok(ratio <= MOST, times)
    assert.ok(ticketMs <= TICKET_MS, `${ticketMs} ms`)
  })
})
