/** What the status of a node is made of, and how it reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { Ledger } from '../../../../peer/status/ledger.ts'
import { RemotePeers } from '../../../../peer/status/remote-peers.ts'
import { describeStatus } from '../../../../peer/status/report.ts'
import { HandClock } from '../../hand-clock.ts'
import type { PeerId } from '@libp2p/interface'
import type { PeerEvents } from '../../../../peer/node/events.ts'
import type { StatusSnapshot } from '../../../../peer/status/node-status.ts'

const remoteAddr = multiaddr('/ip4/192.0.2.7/tcp/4001')

async function someone(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

test('an account has what is open, as it runs, and what is closed', () => {
  const ledger = new Ledger()
  const traffic = { bytesIn: 0, bytesOut: 0 }
  const close = ledger.open('web', traffic)
  traffic.bytesIn = 5
  assert.deepEqual(ledger.usage('web'), { open: 1, total: 1, bytesIn: 5, bytesOut: 0 })
  traffic.bytesOut = 7
  close()
  close()
  ledger.open('web', { bytesIn: 1, bytesOut: 1 })
  assert.deepEqual(ledger.usage('web'), { open: 1, total: 2, bytesIn: 6, bytesOut: 8 })
  assert.deepEqual(ledger.usage('ssh'), { open: 0, total: 0, bytesIn: 0, bytesOut: 0 })
})

test('accounts of those that come and go are forgotten, and those that are open are not', () => {
  const ledger = new Ledger()
  ledger.open('stays', { bytesIn: 1, bytesOut: 0 })
  ledger.open('leaves', { bytesIn: 1, bytesOut: 0 })()
  for (let peer = 0; peer < 2000; peer++) ledger.open(`peer ${peer}`, { bytesIn: 0, bytesOut: 0 })()
  assert.equal(ledger.usage('stays').total, 1)
  assert.equal(ledger.usage('leaves').total, 0)
})

test('a peer is told with its path, and why it stays relayed', async () => {
  const events = new TypedEventEmitter<PeerEvents>()
  const peers = new RemotePeers(events, new HandClock(1000))
  const peerId = await someone()
  const role = 'initiator' as const
  events.safeDispatchEvent('peer:connected', { detail: { peerId, path: 'relayed', remoteAddr } })
  events.safeDispatchEvent('holepunch:started', { detail: { peerId, role } })
  events.safeDispatchEvent('holepunch:attempt', { detail: { peerId, role, n: 1, rttMs: 5, candidates: [] } })
  events.safeDispatchEvent('holepunch:attempt', { detail: { peerId, role, n: 2, rttMs: 5, candidates: [] } })
  events.safeDispatchEvent('holepunch:failed', {
    detail: { peerId, role, reason: 'timed-out', elapsedMs: 9 },
  })
  const [seen] = peers.all
  assert.equal(seen?.path, 'relayed')
  assert.deepEqual(
    { ...seen?.punch, advice: typeof seen?.punch?.advice },
    { outcome: 'failed', at: 1000, attempts: 2, elapsedMs: 9, reason: 'timed-out', advice: 'string' },
  )
  events.safeDispatchEvent('holepunch:started', { detail: { peerId, role } })
  assert.deepEqual([peers.all[0]?.punch?.outcome, peers.all[0]?.punch?.reason], ['running', null])
  events.safeDispatchEvent('peer:disconnected', { detail: { peerId } })
  assert.equal(peers.all[0]?.path, null)
})

test('of peers that have left, only so many are kept in mind', async () => {
  const events = new TypedEventEmitter<PeerEvents>()
  const peers = new RemotePeers(events)
  const stays = await someone()
  events.safeDispatchEvent('peer:connected', { detail: { peerId: stays, path: 'direct', remoteAddr } })
  for (let count = 0; count < 300; count++)
    events.safeDispatchEvent('peer:disconnected', { detail: { peerId: await someone() } })
  assert.equal(peers.all.length, 256)
  assert.equal(peers.all[0]?.peerId, stays.toString())
})

const usage = { open: 1, total: 3, bytesIn: 2048, bytesOut: 5 * 1024 ** 2 }
const snapshot: StatusSnapshot = {
  peerId: 'ME',
  version: '0.1.0',
  startedAt: 0,
  uptimeMs: 3_725_000,
  addrs: [],
  relays: [
    {
      relay: 'RELAY',
      addrs: ['/ip4/192.0.2.1/tcp/4001'],
      state: 'held',
      expiresAt: 60_000,
      clockAheadMs: 900,
    },
  ],
  peers: [
    {
      peerId: 'PEER',
      name: 'laptop',
      path: 'relayed',
      remoteAddr: '/x',
      since: 0,
      rttMs: 12.34,
      streams: 2,
      ...usage,
      punch: {
        outcome: 'failed',
        at: 0,
        attempts: 1,
        elapsedMs: 1,
        reason: 'refused',
        advice: 'forward a port',
      },
    },
    {
      peerId: 'GONE',
      name: null,
      path: null,
      remoteAddr: null,
      since: 0,
      rttMs: null,
      punch: null,
      streams: 0,
      ...usage,
    },
  ],
  services: [{ name: 'web', place: '127.0.0.1:80', allowed: 1, ...usage }],
  forwards: [
    {
      local: '127.0.0.1:2222',
      target: 'home',
      service: 'ssh',
      listening: true,
      failed: 2,
      lastError: 'it\u001b[2J broke',
      ...usage,
    },
    {
      local: '127.0.0.1:80',
      target: 'home',
      service: 'web',
      listening: false,
      failed: 0,
      lastError: 'the port is in use (EADDRINUSE)',
      ...usage,
    },
  ],
}

test('a status reads like this, and nothing in it steers a terminal', () => {
  assert.deepEqual(
    describeStatus(snapshot, 30_000, (_, text) => text),
    [
      'ME, throughnat 0.1.0, up for 1h 2m',
      '',
      'Relays',
      '  RELAY  held, for 30s more  /ip4/192.0.2.1/tcp/4001',
      '',
      'Peers',
      '  laptop  relayed  12.3 ms  for 30s  2 KiB in, 5 MiB out',
      '    stays relayed (refused, 1 attempt 30s ago): forward a port',
      '',
      'Services',
      '  web  127.0.0.1:80  for 1 peer and tickets  1 open of 3  2 KiB in, 5 MiB out',
      '',
      'Forwards',
      '  127.0.0.1:2222  home ssh  1 open of 3  2 KiB in, 5 MiB out  2 failed, the last: it[2J broke',
      '  127.0.0.1:80    home web  1 open of 3  2 KiB in, 5 MiB out  does not listen: the port is in use (EADDRINUSE)',
    ],
  )
})

test('a node that does nothing yet is told as that', () => {
  const idle = { ...snapshot, relays: [], peers: [], services: [], forwards: [] }
  const lines = describeStatus(idle, 0, (_, text) => text)
  assert.equal(lines.filter(line => line.startsWith('  none')).length, 4)
})

test('a relay whose clock shows another time is pointed out, and a relay that does not tell is not', () => {
  const read = (clockAheadMs: number | null): string[] => {
    const relays = snapshot.relays.map(it => ({ ...it, clockAheadMs }))
    return describeStatus({ ...snapshot, relays }, 30_000, (_, text) => text)
  }
  const difference = (lines: string[]): string | undefined => lines.find(it => it.includes('clock'))?.trim()
  assert.equal(difference(read(3_600_000)), "its clock is 1h ahead of this machine's: one of them is wrong")
  assert.equal(difference(read(-90_000)), "its clock is 1m 30s behind this machine's: one of them is wrong")
  for (const unsuspicious of [null, 0, 5_000, -5_000]) assert.equal(difference(read(unsuspicious)), undefined)
})
