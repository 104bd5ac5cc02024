/**
 * The program that runs on the hosts of the lab: relays and peers, told what to do over stdin.
 *
 * One line of JSON a request, `{id, do, ...}`; one a reply, `{id, ...result}` or `{id, error: {name, message, reason}}`;
 * and one an event, `{event, at, ...}`. Ends when stdin does.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { ping } from '../../peer/ping.ts'
import { createPeer } from '../../peer/index.ts'
import { createRelay } from '../../relay/index.ts'
import type { Stream } from '@libp2p/interface'
import type { Peer, PeerConnection } from '../../peer/index.ts'

const ECHO = '/lab/echo/1'

/** What can be asked for. Whatever takes long takes `timeoutMs`. */
interface Request {
  id: number
  do: string
  [argument: string]: unknown
}

const peers = new Map<string, Peer>()
const connections = new Map<string, PeerConnection>()
const closers: Array<() => Promise<void>> = []

const actions: Record<string, (request: never) => Promise<object>> = {
  relay: async ({ listen }: { listen: string[] }) => {
    const relay = await createRelay({ listen })
    closers.push(() => relay.stop())
    return { addrs: relay.addrs.map(String) }
  },

  peer: async ({ name, relays, reserve, timeoutMs }: PeerRequest) => {
    const peer = await createPeer({ relays, reserve })
    peers.set(name, peer)
    report(name, peer)
    await peer.handle(ECHO, echo)
    if (reserve) await peer.reachable({ signal: AbortSignal.timeout(timeoutMs) })
    return { peerId: peer.peerId.toString(), addrs: peer.addrs.map(String) }
  },

  connect: async ({ name, target, timeoutMs }: { name: string; target: string; timeoutMs: number }) => {
    const startedAt = performance.now()
    const connection = await peerNamed(name).connect(target, { signal: AbortSignal.timeout(timeoutMs) })
    connections.set(name, connection)
    return { path: connection.path, elapsedMs: performance.now() - startedAt }
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
    const stream = await connection.newStream(ECHO, { signal })
    const startedAt = performance.now()
    await exchange(stream, randomBytes(bytes), signal)
    return { path: connection.path, elapsedMs: performance.now() - startedAt }
  },

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

  traffic: async () => ({ bytes: trafficBytes() }),

  stop: async ({ name }: { name: string }) => {
    await peerNamed(name).stop()
    peers.delete(name)
    connections.delete(name)
    return {}
  },
}

interface PeerRequest {
  name: string
  relays: string[]
  reserve: boolean
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
    'peer:connected',
    'peer:disconnected',
    'path:changed',
    'holepunch:started',
    'holepunch:attempt',
    'holepunch:succeeded',
    'holepunch:failed',
  ] as const
  for (const event of events)
    peer.addEventListener(event, ({ detail }) => write({ event, at: Date.now(), name, ...detail }))
}

async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) {
    if (!stream.send(data))
      await new Promise(resolve => stream.addEventListener('drain', resolve, { once: true }))
  }
  await stream.close()
}

/** Sends `data` and checks that the same comes back, byte for byte. */
async function exchange(stream: Stream, data: Buffer, signal: AbortSignal): Promise<void> {
  signal.addEventListener('abort', () => stream.abort(new Error('the echo took too long')))
  const back = createHash('sha256')
  const receiving = (async () => {
    for await (const chunk of stream) back.update(chunk.subarray())
  })()
  for (let at = 0; at < data.length; at += 65_536)
    if (!stream.send(data.subarray(at, at + 65_536)))
      await new Promise(resolve => stream.addEventListener('drain', resolve, { once: true }))
  await stream.close()
  await receiving
  if (back.digest('hex') !== createHash('sha256').update(data).digest('hex'))
    throw new Error('the echo differs')
}

/** All bytes that have passed the network interfaces of this host, in and out, loopback left out. */
function trafficBytes(): number {
  const lines = readFileSync('/proc/self/net/dev', 'utf8').trim().split('\n').slice(2)
  return lines
    .filter(line => !line.trim().startsWith('lo:'))
    .map(line => line.trim().split(/[\s:]+/))
    .reduce((sum, fields) => sum + Number(fields[1]) + Number(fields[9]), 0)
}

function write(message: object): void {
  const text = JSON.stringify(message, (_key, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'toMultihash' in value) return String(value)
    return value
  })
  process.stdout.write(`${text}\n`)
}

async function answer(request: Request): Promise<void> {
  const { id } = request
  try {
    const action = actions[request.do]
    if (action === undefined) throw new Error(`cannot do ${request.do}`)
    write({ id, ...(await action(request as never)) })
  } catch (error) {
    const { name, message, reason, stack } = error as Error & { reason?: string }
    process.stderr.write(`${stack}\n`)
    write({ id, error: { name, message, reason } })
  }
}

for await (const line of createInterface(process.stdin)) void answer(JSON.parse(line) as Request)
await Promise.all([...peers.values()].map(async peer => peer.stop()))
await Promise.all(closers.map(async close => close()))
