/**
 * Direct paths on which small packets pass and large ones are lost, as behind a router with a smaller MTU whose ICMP
 * errors are filtered. The way through the relay has no such router.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Command, isEvent } from './command.ts'
import { until } from '../waits.ts'
import { createStage } from './stage.ts'
import { connectAndWatch, runTrial } from './trial.ts'
import type { NatKindName } from './net/network.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

/** Larger than any packet of a handshake, in bytes with the IP header. */
const LARGEST_PACKET = 1_300

/** Both sides prove the path for 5 s in a punch, and 10 s otherwise. */
const OUTCOME_MS = 30_000

type Family = 'ip' | 'ip6'

/** Drops large packets that come to this host from anywhere but the relay. */
async function loseLargePackets({ host }: Remote, stage: Stage, families: readonly Family[]): Promise<void> {
  const relay = { ip: stage.relay.host.address, ip6: stage.relay.host.address6 }
  const rules = families.map(
    family =>
      `add rule inet lossy input meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} ${family} saddr != ${relay[family]} meta length > ${LARGEST_PACKET} drop`,
  )
  await host.namespace.nft(
    [
      'add table inet lossy',
      'add chain inet lossy input { type filter hook input priority 0; }',
      ...rules,
    ].join('\n'),
  )
}

/** Resets each connection from anywhere but the relay once it has carried so many bytes. */
async function resetAfter({ host }: Remote, stage: Stage, bytes: number): Promise<void> {
  const rule = `ip saddr != ${stage.relay.host.address} meta l4proto tcp ct bytes > ${bytes} reject with tcp reset`
  await host.namespace.nft(
    [
      'add table inet middlebox',
      'add chain inet middlebox input { type filter hook input priority 0; }',
      `add rule inet middlebox input ${rule}`,
    ].join('\n'),
  )
}

const cases: Array<{ title: string; nats: [NatKindName, NatKindName]; at: Array<'dialer' | 'listener'> }> = [
  { title: 'both ways, between NATs', nats: ['eim-apdf-drop', 'eim-apdf-drop'], at: ['dialer', 'listener'] },
  { title: 'to the listener only, between NATs', nats: ['eim-apdf-drop', 'eim-apdf-drop'], at: ['listener'] },
  { title: 'to the dialer only, between NATs', nats: ['eim-apdf-drop', 'eim-apdf-drop'], at: ['dialer'] },
  { title: 'both ways, to a public listener', nats: ['eim-apdf-drop', 'none'], at: ['dialer', 'listener'] },
  { title: 'both ways, from a public dialer', nats: ['none', 'eim-apdf-drop'], at: ['dialer', 'listener'] },
]

describe('where large packets are lost', { concurrency: 3 }, () => {
  for (const { title, nats, at } of cases) {
    it(`stays relayed, and carries data: ${title}`, { timeout: 120_000 }, async () => {
      await using stage = await createStage({ delayMs: 20 })
      const dialer = await stage.place('dialer', nats[0])
      const listener = await stage.place('listener', nats[1])
      for (const name of at) await loseLargePackets({ dialer, listener }[name], stage, ['ip', 'ip6'])
      await stage.evident(`large packets lost ${title}`, async () => {
        const result = await runTrial(stage.cast(dialer, listener), 'relayed', OUTCOME_MS)
        assert.equal(result.reason, 'lossy-path')
        const circuits = dialer.events.filter(it => it.event === 'holepunch:started').length
        assert.equal(circuits, 1, 'no other circuit replaced the one that was being upgraded')
      })
    })
  }

  it('over IPv6 alone, the path is direct over IPv4', { timeout: 120_000 }, async () => {
    await using stage = await createStage({ delayMs: 20 })
    const dialer = await stage.place('dialer', 'none')
    const listener = await stage.place('listener', 'none')
    for (const remote of [dialer, listener]) await loseLargePackets(remote, stage, ['ip6'])
    await stage.evident('large packets lost over IPv6', async () => {
      const cast = stage.cast(dialer, listener)
      await runTrial(cast, 'direct', OUTCOME_MS)
    })
  })

  it('says so, and neither dials nor punches again for 30 s', { timeout: 120_000 }, async () => {
    await using stage = await createStage({ delayMs: 20 })
    const dialer = await stage.place('dialer', 'eim-apdf-drop')
    const listener = await stage.place('listener', 'eim-apdf-drop')
    for (const remote of [dialer, listener]) await loseLargePackets(remote, stage, ['ip', 'ip6'])
    const first = await connectAndWatch(stage.cast(dialer, listener), 'peer', OUTCOME_MS)
    assert.equal(first.reason, 'lossy-path')
    const attempts = (): number => dialer.events.filter(it => it.event === 'holepunch:attempt').length
    const before = attempts()
    // another circuit is tried after 15 to 30 s
    const second = await dialer.next(it => it.event === 'holepunch:failed', 40_000)
    assert.equal(second.reason, 'lossy-path')
    assert.equal(attempts(), before, 'no SYN was sent')
  })

  it('ping --until-direct ends with 5, and says so', { timeout: 120_000 }, async () => {
    await using stage = await createStage({ delayMs: 20 })
    const dialer = await stage.place('dialer', 'eim-apdf-drop')
    const listener = await stage.place('listener', 'eim-apdf-drop')
    for (const remote of [dialer, listener]) await loseLargePackets(remote, stage, ['ip', 'ip6'])
    const relays = [stage.relayAddr()]
    const { addrs } = await listener.do<{ addrs: string[] }>('peer', {
      name: 'peer',
      relays,
      reserve: true,
      timeoutMs: OUTCOME_MS,
    })
    const target = addrs.find(it => it.includes('/p2p-circuit')) ?? assert.fail('no circuit address')
    const ping = new Command(dialer.host, 'throughnat', ['ping', target, '--until-direct'])
    const summary = await ping.event(isEvent('summary'), { withinMs: OUTCOME_MS + 15_000 })
    assert.deepEqual([summary['path'], summary['reason']], ['relayed', 'lossy-path'])
    assert.ok(Number(summary['received']) > 0, 'pings are answered')
    await until(() => ping.end !== undefined)
    assert.equal(ping.end, 5)
    assert.match(ping.stderr, /large packets/i)
  })

  it('a path that a middlebox resets after some KiB is left for the relay', {
    timeout: 180_000,
  }, async () => {
    await using stage = await createStage({ delayMs: 20 })
    const dialer = await stage.place('dialer', 'eim-apdf-drop')
    const listener = await stage.place('listener', 'eim-apdf-drop')
    for (const remote of [dialer, listener]) await resetAfter(remote, stage, 64 * 1024)
    await stage.evident('reset after some KiB', async () => {
      const name = 'peer'
      const result = await connectAndWatch(stage.cast(dialer, listener), name, OUTCOME_MS)
      assert.equal(result.path, 'direct')
      // transfers fail until the path has died twice; then the next upgrade knows it
      const isKnown = (it: { event: string; reason?: unknown }): boolean =>
        it.event === 'holepunch:failed' && it.reason === 'lossy-path'
      let failures = 0
      for (const startedAt = performance.now(); !dialer.events.some(isKnown); ) {
        assert.ok(performance.now() - startedAt < 120_000, `${failures} transfers failed`)
        await dialer.do('echo', { name, bytes: 256 * 1024 }, 30_000).catch(() => failures++)
      }
      assert.ok(failures > 0 && failures <= 6, `${failures} transfers failed`)
      assert.equal((await dialer.do<{ path: string }>('echo', { name, bytes: 256 * 1024 })).path, 'relayed')
    })
  })
})
