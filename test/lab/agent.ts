/** The program that runs on the hosts of the lab: relays and peers made by `createRelay` and `createPeer`. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { ping } from '../../src/protocols/ping.ts'
import { createPeer } from '../../peer/index.ts'
import { createRelay } from '../../relay/index.ts'
import { ECHO_PROTOCOL, echo, exchange } from './echo.ts'
import { serve, write } from './requests.ts'
import { untilEvent } from '../waits.ts'
import type { Connection } from '@libp2p/interface'
import type { Actions } from './requests.ts'
import type { Peer, PeerConnection } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

const peers = new Map<string, Peer>()
const connections = new Map<string, PeerConnection>()
const relays: Relay[] = []
const closers: Array<() => Promise<void>> = []
/** All direct connections that each peer has had. */
const directs = new Map<string, Connection[]>()
const echoes = new Map<string, { goOn: () => void; over: Promise<void> }>()

const actions: Actions = {
  relay: async ({ listen, dataDir, reservationTtlMs, isPublic = false }: RelayRequest) => {
    const relay = await createRelay({
      listen,
      profile: isPublic ? 'public' : 'private',
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(reservationTtlMs === undefined ? {} : { reservationTtlMs }),
    })
    relays.push(relay)
    closers.push(() => relay.stop())
    return { addrs: relay.addrs.map(String) }
  },

  /** Resolves when the relay's next reservation ends. */
  'reservation-ended': async ({ timeoutMs }: { timeoutMs: number }) => {
    const [relay] = relays
    const signal = AbortSignal.timeout(timeoutMs)
    const [event] = (await once(relay as never, 'reservation:ended', { signal })) as [CustomEvent<object>]
    return { ...event.detail }
  },

  peer: async ({ name, relays, reserve, rank, timeoutMs }: PeerRequest) => {
    const ranks = rank === undefined ? {} : { rankOf: () => rank }
    const peer = await createPeer({ relays, reserve, ...ranks })
    peers.set(name, peer)
    report(name, peer)
    noteDirects(name, peer)
    await peer.handle(ECHO_PROTOCOL, echo)
    if (reserve) await peer.reachable({ signal: AbortSignal.timeout(timeoutMs) })
    return { peerId: peer.peerId.toString(), addrs: peer.addrs.map(String) }
  },

  addrs: async ({ name }: { name: string }) => ({ addrs: peerNamed(name).addrs.map(String) }),

  /** Resolves when the peer announces an address of this host that needs no relay. */
  announces: async ({ name, host, timeoutMs }: { name: string; host: string; timeoutMs: number }) => {
    const peer = peerNamed(name)
    const find = (): string | undefined =>
      peer.addrs.map(String).find(it => it.startsWith(`/ip4/${host}/tcp/`) && !it.includes('/p2p-circuit'))
    const what = `${name} announces an address of ${host}`
    await untilEvent(peer.libp2p, 'self:peer:update', () => find() !== undefined, what, timeoutMs)
    return { addr: find() }
  },

  connect: async ({ name, target, timeoutMs }: { name: string; target: string; timeoutMs: number }) => {
    const startedAt = performance.now()
    const connection = await peerNamed(name).connect(target, { signal: AbortSignal.timeout(timeoutMs) })
    connections.set(name, connection)
    return { path: connection.path, elapsedMs: performance.now() - startedAt }
  },

  /** A stranger connects, pings, and goes: once. */
  visit: async ({ name, target, timeoutMs }: { name: string; target: string; timeoutMs: number }) => {
    const startedAt = performance.now()
    await visit(peerNamed(name), target, timeoutMs)
    return { elapsedMs: performance.now() - startedAt }
  },

  /** Strangers come one after the other, each this long after the one before or when that is done. */
  'visit-often': async ({ name, target, everyMs, forMs, timeoutMs }: VisitsRequest) => {
    const failures: string[] = []
    let visits = 0
    for (const end = performance.now() + forMs; performance.now() < end; visits++) {
      const next = pause(everyMs)
      await visit(peerNamed(name), target, timeoutMs).catch((error: Error) => failures.push(error.message))
      await next
    }
    return { visits, failures }
  },

  direct: async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    const startedAt = performance.now()
    const connection = connectionOf(name)
    await connection.direct({ signal: AbortSignal.timeout(timeoutMs) })
    const { path, remoteAddr } = connection
    return { path, remoteAddr: remoteAddr.toString(), elapsedMs: performance.now() - startedAt }
  },

  echo: async ({ name, bytes, timeoutMs }: { name: string; bytes: number; timeoutMs: number }) => {
    const connection = connectionOf(name)
    const signal = AbortSignal.timeout(timeoutMs)
    const stream = await connection.newStream(ECHO_PROTOCOL, { signal })
    const startedAt = performance.now()
    await exchange(stream, randomBytes(bytes), signal)
    return { path: connection.path, elapsedMs: performance.now() - startedAt }
  },

  /** Begins an echo on the circuit, goes on with it only when the path has turned direct, and ends it there. */
  'echo-across': async ({ name, bytes, timeoutMs }: { name: string; bytes: number; timeoutMs: number }) => {
    const connection = connectionOf(name)
    const signal = AbortSignal.timeout(timeoutMs)
    const before = connection.path
    const stream = await connection.newStream(ECHO_PROTOCOL, { signal })
    await exchange(stream, randomBytes(bytes), signal, async sent => {
      if (sent >= bytes / 2) await connection.direct({ signal })
    })
    return { before, after: connection.path }
  },

  /** Sends the first half of an echo on the direct path, and leaves the stream open. */
  'begin-echo': async ({ name, bytes, timeoutMs }: { name: string; bytes: number; timeoutMs: number }) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const stream = await connectionOf(name).newStream(ECHO_PROTOCOL, { signal })
    const [half, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const over = exchange(stream, randomBytes(bytes), signal, async sent => {
      if (sent < bytes / 2) return
      half.resolve()
      await rest.promise
    })
    echoes.set(name, { goOn: rest.resolve, over })
    await Promise.race([half.promise, over])
    return {}
  },

  /** Sends the other half. Fails if not all comes back. */
  'end-echo': async ({ name }: { name: string }) => {
    const { goOn, over } = echoes.get(name) ?? {}
    goOn?.()
    await over
    return { path: connectionOf(name).path }
  },

  /** Opens one more circuit, which is upgraded like the first. */
  'dial-circuit': async ({
    name,
    target,
    timeoutMs,
  }: {
    name: string
    target: string
    timeoutMs: number
  }) => {
    const options = { force: true, signal: AbortSignal.timeout(timeoutMs) }
    await peerNamed(name).libp2p.dial(multiaddr(target), options)
    return {}
  },

  /** What has become of all direct connections: `open`, or how each has ended. */
  directs: async ({ name }: { name: string }) => ({
    states: (directs.get(name) ?? []).map(it => it.status),
  }),

  limits: async ({ name }: { name: string }) => ({ limits: connectionOf(name).limits }),

  ping: async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    return connectionOf(name).ping({ signal: AbortSignal.timeout(timeoutMs) })
  },

  // the circuit stays open for some seconds after the path has turned direct
  'ping-circuit': async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    const circuit = peerNamed(name)
      .libp2p.getConnections(connectionOf(name).remotePeer)
      .find(it => Circuit.exactMatch(it.remoteAddr))
    if (circuit === undefined) throw new Error('there is no circuit any more')
    return { rttMs: await ping(circuit, { signal: AbortSignal.timeout(timeoutMs) }) }
  },

  'circuit-closed': async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    const { libp2p } = peerNamed(name)
    const { remotePeer } = connectionOf(name)
    const isOpen = (): boolean =>
      libp2p.getConnections(remotePeer).some(it => Circuit.exactMatch(it.remoteAddr))
    await untilEvent(libp2p, 'connection:close', () => !isOpen(), 'the circuit is closed', timeoutMs)
    return {}
  },

  traffic: async () => ({ bytes: trafficBytes() }),

  /** Memory of the program. */
  resident: async () => ({ bytes: process.memoryUsage.rss() }),

  stop: async ({ name }: { name: string }) => {
    await peerNamed(name).stop()
    peers.delete(name)
    connections.delete(name)
    return {}
  },
}

interface RelayRequest {
  listen: string[]
  dataDir?: string
  reservationTtlMs?: number
  isPublic?: boolean
}

interface VisitsRequest {
  name: string
  target: string
  everyMs: number
  forMs: number
  timeoutMs: number
}

async function visit(peer: Peer, target: string, timeoutMs: number): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs)
  const connection = await peer.connect(target, { signal })
  try {
    await connection.ping({ signal })
  } finally {
    await connection.close({ signal: AbortSignal.timeout(1_000) }).catch(() => {})
  }
}

interface PeerRequest {
  name: string
  relays: string[]
  reserve: boolean
  /** Of all remote peers. */
  rank?: 'named' | 'stranger'
  timeoutMs: number
}

function peerNamed(name: string): Peer {
  const peer = peers.get(name)
  if (peer === undefined) throw new Error(`no peer is called ${name}`)
  return peer
}

function connectionOf(name: string): PeerConnection {
  const connection = connections.get(name)
  if (connection === undefined) throw new Error(`${name} has not connected`)
  return connection
}

function report(name: string, peer: Peer): void {
  const events = [
    'reservation:granted',
    'reservation:lost',
    'reservation:failed',
    'relay:state',
    'network:changed',
    'peer:connected',
    'peer:disconnected',
    'path:changed',
    'holepunch:started',
    'holepunch:attempt',
    'holepunch:succeeded',
    'holepunch:failed',
    'mapping:added',
    'mapping:verified',
    'mapping:lost',
    'mapping:failed',
  ] as const
  for (const event of events)
    peer.addEventListener(event, ({ detail }) => write({ event, at: Date.now(), name, ...detail }))
}

function noteDirects(name: string, { libp2p }: Peer): void {
  const noted: Connection[] = []
  directs.set(name, noted)
  libp2p.addEventListener('connection:open', ({ detail }) => {
    // those to the relays are direct, too, and stay
    if (!Circuit.exactMatch(detail.remoteAddr)) noted.push(detail)
  })
}

/** All bytes that have passed the network interfaces of this host, in and out, loopback left out. */
function trafficBytes(): number {
  const lines = readFileSync('/proc/self/net/dev', 'utf8').trim().split('\n').slice(2)
  return lines
    .filter(line => !line.trim().startsWith('lo:'))
    .map(line => line.trim().split(/[\s:]+/))
    .reduce((sum, fields) => sum + Number(fields[1]) + Number(fields[9]), 0)
}

await serve(actions)
await Promise.all([...peers.values()].map(async peer => peer.stop()))
await Promise.all(closers.map(async close => close()))
