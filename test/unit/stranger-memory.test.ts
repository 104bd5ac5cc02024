/** What a node remembers of strangers: any number of them, whom anyone can make up, takes no more memory than some thousand. */

import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { describe, it } from 'node:test'
import { runInNewContext } from 'node:vm'
import { TypedEventEmitter } from 'main-event'
import { multiaddr } from '@multiformats/multiaddr'
import { DialPolicy } from '../../peer/connections/dial-policy.ts'
import { Ledger } from '../../peer/status/ledger.ts'
import { RemotePeers } from '../../peer/status/remote-peers.ts'
import { MemoryBudget } from '../../peer/tunnel/resume/memory-budget.ts'
import { ObservedEndpoints } from '../../src/holepunch/observed-endpoints.ts'
import { LossyPaths } from '../../src/holepunch/paths/lossy-paths.ts'
import { PeerQueue } from '../../src/holepunch/peer-queue.ts'
import { PunchBudget } from '../../src/holepunch/punch/punch-budget.ts'
import { TokenBuckets } from '../../src/limits/token-buckets.ts'
import { HostTurns } from '../../src/transport/host-turns.ts'
import { RelaySightings } from '../../src/transport/relay-sightings.ts'
import type { Connection, PeerId } from '@libp2p/interface'
import type { Peer } from '../../peer/index.ts'

const LIMIT = { timeout: 60_000 }

/** The first fill what is bounded, and those after them must cost nothing. */
const FIRST = 25_000
const MORE = 50_000

/** Bytes that the heap may be off by. A record of 100 bytes for each of {@link MORE} would be 5 MB. */
const TOLERANCE = 2_000_000

/** Text of the form of a peer id; what is tested takes it as it is. */
const idOf = (n: number): PeerId => ({ toString: () => `12D3KooW${String(n).padStart(44, '0')}` }) as PeerId
const hostOf = (n: number): string => `11.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`

/** Each is called once for each stranger. */
const memories: Readonly<Record<string, () => (n: number) => unknown>> = {
  'the budget of punches': () => {
    const budget = new PunchBudget()
    return n => [budget.takeAttempt(idOf(n)), budget.takeDial(hostOf(n)), budget.refundDials(hostOf(n), 1)]
  },
  'lossy paths': () => {
    const paths = new LossyPaths()
    return n => paths.note(idOf(n), multiaddr(`/ip4/${hostOf(n)}/tcp/1`), 'no-full-packet')
  },
  'the turns of hosts': () => {
    const turns = new HostTurns()
    return n => [turns.take(hostOf(n)), turns.wrong(hostOf(n))]
  },
  'the turns of peers': () => {
    const queue = new PeerQueue()
    return async n => (await queue.take(idOf(n)))()
  },
  'observed endpoints': () => {
    const endpoints = new ObservedEndpoints()
    return n => {
      const addr = multiaddr(`/ip4/${hostOf(n)}/tcp/1`)
      const connection = { id: String(n), direct: true, remoteAddr: addr } as unknown as Connection
      endpoints.note(connection, addr)
      endpoints.forget(connection)
    }
  },
  'the relays of circuits': () => {
    const relays = new RelaySightings()
    return n => relays.note([multiaddr(`/ip4/${hostOf(n)}/tcp/1/p2p-circuit`)])
  },
  'wrong tickets': () => {
    const guesses = new TokenBuckets({ capacity: 5, perSecond: 0.2, maxKeys: 10_000 })
    return n => guesses.take(idOf(n).toString())
  },
  'given addresses': () => {
    const policy = new DialPolicy(() => false)
    return n => [
      policy.isGiven(multiaddr(`/ip4/${hostOf(n)}/tcp/1`)),
      policy.allow(multiaddr(`/ip4/${hostOf(n)}/tcp/2`)),
    ]
  },
  'the status of remote peers': () => {
    const events = new TypedEventEmitter() as unknown as Peer
    const peers = new RemotePeers(events)
    return n => {
      const peerId = idOf(n)
      const detail = {
        peerId,
        path: 'relayed',
        remoteAddr: hostOf(n),
        role: 'responder',
        reason: 'refused',
        elapsedMs: 1,
      }
      for (const event of ['peer:connected', 'holepunch:started', 'holepunch:failed', 'peer:disconnected'])
        events.dispatchEvent(new CustomEvent(event, { detail }))
      return peers
    }
  },
  'the traffic of remote peers': () => {
    const ledger = new Ledger()
    return n => ledger.open(idOf(n).toString(), { bytesIn: n, bytesOut: n })()
  },
  'the memory of tunnels': () => {
    const budget = new MemoryBudget()
    return n => {
      const share = budget.share(idOf(n).toString())
      share.spend(100)
      share.spend(-100)
    }
  },
}

describe('what a node remembers of strangers', LIMIT, () => {
  for (const [what, create] of Object.entries(memories))
    it(`is bounded in ${what}`, async () => {
      const meet = create()
      for (let n = 0; n < FIRST; n++) await meet(n)
      const before = heapBytes()
      for (let n = FIRST; n < FIRST + MORE; n++) await meet(n)
      const grown = heapBytes() - before
      assert.ok(grown < TOLERANCE, `${grown} bytes for ${MORE} more`)
    })
})

/** What is used after a collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
