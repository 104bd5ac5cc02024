/** A peer counts what happens to it. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Registry } from 'prom-client'
import { createMetrics, createPeer } from '../../peer/index.ts'
import { startPlain, startRelay } from './circuit-stage.ts'
import { until } from '../waits.ts'
import type { TestContext } from 'node:test'
import type { Peer, PeerInit } from '../../peer/index.ts'

const LIMIT = { timeout: 30_000 }

async function startPeer(t: TestContext, init: PeerInit): Promise<{ peer: Peer; registry: Registry }> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return { peer, registry: createMetrics(peer) }
}

/** The value of `name{label="value"}`, without what all names begin with. */
async function valueOf(registry: Registry, what: string): Promise<number> {
  const lines = (await registry.metrics()).split('\n')
  const line = lines.find(it => it.startsWith(`throughnat_peer_${what} `))
  assert.ok(line !== undefined, `no ${what} in\n${lines.join('\n')}`)
  return Number(line.split(' ').at(-1))
}

describe('the metrics of a peer', () => {
  it('tell of its relays, from the first attempt to the last', LIMIT, async t => {
    const relay = await startRelay(t)
    const { peer, registry } = await startPeer(t, { relays: relay.addrs })
    await peer.reachable()
    assert.equal(await valueOf(registry, 'relays{state="held"}'), 1)
    assert.equal(await valueOf(registry, 'relays{state="waiting"}'), 0)
    assert.equal(await valueOf(registry, 'relay_state_changes_total{state="held"}'), 1)
    assert.equal(await valueOf(registry, 'reservations_total'), 1)
    let failures = 0
    peer.addEventListener('reservation:failed', () => failures++)
    await relay.stop()
    await until(() => failures > 0, 'the relay was asked again')
    assert.equal(await valueOf(registry, 'relays{state="held"}'), 0)
    assert.equal(await valueOf(registry, 'reservations_lost_total{reason="disconnected"}'), 1)
    assert.ok((await valueOf(registry, 'reservation_failures_total')) >= failures)
  })

  it('tell of paths, and of upgrades that succeed', LIMIT, async t => {
    const relay = await startRelay(t)
    const listener = await startPeer(t, { relays: relay.addrs })
    const dialer = await startPeer(t, {})
    await listener.peer.reachable()
    const connection = await dialer.peer.connect(listener.peer.addrs[0]!)
    await connection.direct()
    assert.equal(await valueOf(dialer.registry, 'remote_peers{path="direct"}'), 1)
    assert.equal(await valueOf(dialer.registry, 'remote_peers{path="relayed"}'), 0)
    await connection.close()
    assert.equal(await valueOf(dialer.registry, 'remote_peers{path="direct"}'), 0)
  })

  it('tell why an upgrade failed', LIMIT, async t => {
    const relay = await startRelay(t)
    const plain = await startPlain(t, relay)
    const { peer, registry } = await startPeer(t, {})
    const connection = await peer.connect(`${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}`)
    await assert.rejects(connection.direct(), { reason: 'not-supported' })
    assert.equal(await valueOf(registry, 'holepunches_failed_total{reason="not-supported"}'), 1)
    assert.equal(await valueOf(registry, 'remote_peers{path="relayed"}'), 1)
  })

  it('are added to a registry that is given', LIMIT, async t => {
    const { peer } = await startPeer(t, {})
    const registry = new Registry()
    assert.equal(createMetrics(peer, registry), registry)
    assert.equal(await valueOf(registry, 'port_mappings_total{type="added"}'), 0)
  })
})
