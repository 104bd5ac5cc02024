/**
 * A remote that means harm: a plain libp2p node whose DCUtR is written by hand. It names addresses that are not its own,
 * and breaks the protocol in the ways of `Behaviour`.
 *
 * `create` makes such nodes, which stay silent until they are told to open circuits (`open`), to do so again and again
 * (`reopen`), or to begin exchanges on circuits that they were given (`exchanges`).
 */

import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { CONNECT, message, readMessage, SYNC } from '../network/dcutr-message.ts'
import { serve } from './requests.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Actions } from './requests.ts'

const DCUTR = '/libp2p/dcutr'

/** What a node makes of an exchange that our node has opened. */
export type Behaviour = 'polite' | 'silent' | 'garbage' | 'endless' | 'connect-twice' | 'sync-first'

const answers: Readonly<Record<Behaviour, (addrs: string[]) => Buffer>> = {
  polite: addrs => message(CONNECT, addrs),
  silent: () => Buffer.alloc(0),
  garbage: () => Buffer.from('09ffffffffffffffffff', 'hex'),
  endless: addrs => Buffer.concat(Array.from({ length: 1000 }, () => message(CONNECT, addrs))),
  'connect-twice': addrs => Buffer.concat([message(CONNECT, addrs), message(CONNECT, addrs)]),
  'sync-first': addrs => Buffer.concat([message(SYNC), message(CONNECT, addrs)]),
}

interface CreateRequest {
  /** A number is appended where there is more than one. */
  name: string
  count?: number
  relays?: string[]
  /** Where the nodes listen beside that. */
  listen?: string[]
  behaviour?: Behaviour
  /** The addresses that they name in exchanges, and by identify. */
  addrs?: string[]
}

interface ExchangesRequest {
  name: string
  times: number
  addrs: string[]
  timeoutMs: number
}

const nodes = new Map<string, Libp2p>()

const actions: Actions = {
  create: async ({ name, count = 1, ...init }: CreateRequest) => {
    const names = count === 1 ? [name] : Array.from({ length: count }, (_, n) => `${name}${n}`)
    const peers: Array<{ peerId: string; addrs: string[] }> = []
    for (const each of names) {
      const node = await createNode(init)
      nodes.set(each, node)
      const addrs = node.getMultiaddrs().map(String)
      peers.push({ peerId: node.peerId.toString(), addrs })
    }
    return { peers }
  },

  /** Each node of this name opens circuits to the target, as fast as they are let in. */
  open: async ({ name, target, count = 1 }: { name: string; target: string; count?: number }) => {
    const dialers = nodesNamed(name)
    let opened = 0
    for (let n = 0; n < count; n++) {
      // two dials of one node to one peer would become one
      for (let at = 0; at < dialers.length; at += AT_ONCE) {
        const circuits = dialers.slice(at, at + AT_ONCE).map(async node => insist(node, target))
        opened += (await Promise.all(circuits)).filter(Boolean).length
      }
    }
    return { opened }
  },

  /** Opens a circuit, waits for the exchange on it, closes it at the SYNC, and does it again. */
  reopen: async ({ name, target, times }: { name: string; target: string; times: number }) => {
    const [node] = nodesNamed(name) as [Libp2p]
    for (let n = 0; n < times; n++) {
      const circuit = await openCircuit(node, target)
      // where nothing is asked any more there is no SYNC to wait for
      await once(synced, circuit.id, { signal: AbortSignal.timeout(SYNC_WITHIN_MS) }).catch(() => {})
      circuit.abort(new Error('again'))
    }
    return {}
  },

  /** Opens a circuit, waits for the exchange on it, and when the other side punches at the addresses named connects to it directly. */
  overtake: async ({ name, target, addr }: { name: string; target: string; addr: string }) => {
    const [node] = nodesNamed(name) as [Libp2p]
    const circuit = await openCircuit(node, target)
    await once(synced, circuit.id, { signal: AbortSignal.timeout(SYNC_WITHIN_MS) })
    await openCircuit(node, addr)
    return {}
  },

  /** Begins one exchange after the other on the circuits that a node was given, as long as they are answered. */
  exchanges: async ({ name, times, addrs, timeoutMs }: ExchangesRequest) => {
    const [node] = nodesNamed(name) as [Libp2p]
    let answered = 0
    const circuit = await inboundCircuit(node, AbortSignal.timeout(timeoutMs))
    for (let n = 0; n < times; n++) {
      const stream = await circuit.newStream(DCUTR, {
        runOnLimitedConnection: true,
        maxOutboundStreams: 1000,
      })
      if (await exchange(stream, addrs)) answered++
    }
    return { answered }
  },

  /** The remote addresses of a node's direct connections, whoever made them. */
  direct: async ({ name }: { name: string }) => ({
    addrs: nodesNamed(name).flatMap(node =>
      node.getConnections().flatMap(it => (isCircuit(it) ? [] : [it.remoteAddr.toString()])),
    ),
  }),

  circuits: async ({ name }: { name: string }) => ({
    open: nodesNamed(name).flatMap(node => node.getConnections().filter(isCircuit)).length,
  }),
}

/** libp2p takes ten new connections at once, and five a second from one address (`INBOUND_CONNECTION_THRESHOLD`), the relay's. */
const AT_ONCE = 5
const TRIES = 20

/** Emits the id of a circuit when a SYNC has come over it. */
const synced = new EventEmitter()

/** Some round trips over the relay. */
const SYNC_WITHIN_MS = 700

async function createNode({
  relays = [],
  listen = [],
  behaviour = 'polite',
  addrs = [],
}: CreateRequestInit): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: {
      listen: [...listen, ...relays.map(relay => `${relay}/p2p-circuit`)],
      // told by identify
      appendAnnounce: addrs,
    },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: Infinity, inboundConnectionThreshold: Infinity },
    services: { identify: identify(), ping: ping() },
  })
  const onExchange = async (stream: Stream, circuit: Connection): Promise<void> => {
    await readMessage(stream).catch(() => {})
    stream.send(answers[behaviour](addrs))
    await readMessage(stream).catch(() => {})
    // half a round trip later the punch begins, on the other host: no event tells of it here
    await pause(100)
    synced.emit(circuit.id)
  }
  await node.handle(DCUTR, onExchange, { runOnLimitedConnection: true, maxInboundStreams: 1000 })
  return node
}

type CreateRequestInit = Omit<CreateRequest, 'name' | 'count'>

/** Always another one, whatever connections there are. */
async function openCircuit(node: Libp2p, target: string): Promise<Connection> {
  return node.dial(multiaddr(target), { force: true, signal: AbortSignal.timeout(10_000) })
}

async function insist(node: Libp2p, target: string): Promise<boolean> {
  for (let n = 0; n < TRIES; n++) {
    try {
      await openCircuit(node, target)
      return true
    } catch {
      // until the relay's address may connect again, see AT_ONCE
      await pause(250)
    }
  }
  return false
}

/** The circuit that somebody has opened to a node. */
async function inboundCircuit(node: Libp2p, signal: AbortSignal): Promise<Connection> {
  for (;;) {
    const circuit = node.getConnections().find(it => isCircuit(it) && it.direction === 'inbound')
    if (circuit !== undefined) return circuit
    await once(node as never, 'connection:open', { signal })
  }
}

/** An exchange as its responder, up to the SYNC; false if it is not answered. */
async function exchange(stream: Stream, addrs: string[]): Promise<boolean> {
  const ended = new Promise<void>(resolve => stream.addEventListener('close', () => resolve()))
  try {
    stream.send(message(CONNECT, addrs))
    await readMessage(stream)
    stream.send(message(SYNC))
    await ended
    return true
  } catch {
    return false
  }
}

function isCircuit({ remoteAddr }: Connection): boolean {
  return Circuit.exactMatch(remoteAddr)
}

function nodesNamed(name: string): Libp2p[] {
  const found = [...nodes].flatMap(([key, node]) => (key.replace(/\d+$/, '') === name ? [node] : []))
  if (found.length === 0) throw new Error(`no node is called ${name}`)
  return found
}

await serve(actions)
await Promise.all([...nodes.values()].map(async node => node.stop()))
