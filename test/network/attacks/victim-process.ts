/**
 * The victim of the attacks, in a process of its own: a relay, or a peer that exposes a service. It measures the
 * processor time that an attack costs it, and for how long the attack holds up everything else.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { requestReservation } from '../../../peer/relays/reservations/request.ts'
import { createPeer } from '../../../peer/index.ts'
import { openService } from '../../../peer/tunnel/dialer/open-service.ts'
import { createServices } from '../../../peer/tunnel/listener/services.ts'
import { TUNNEL_PROTOCOL, tunnelHandlerOptions } from '../../../peer/tunnel/wire/protocol.ts'
import { createRelay } from '../../../relay/index.ts'
import { startStatusServer } from '../../../relay/status/status-server.ts'
import { programOptions, serve } from '../../../scripts/bench/serve.ts'
import { openExchange } from '../../../src/holepunch/exchange.ts'
import { requestDialBack } from '../../../src/protocols/autonat/request.ts'
import { ping } from '../../../src/protocols/ping.ts'
import { presentToken } from '../../../src/protocols/relay-auth.ts'
import { quietLogger } from '../../../src/patches/libp2p/quiet-logger.ts'
import { systemClock } from '../../../src/time/clock.ts'
import { multiaddr } from '@multiformats/multiaddr'
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Identify } from '@libp2p/identify'

/** What can be attacked. */
export type VictimKind = 'relay' | 'peer'

/** What a victim can be made to ask of a hostile remote. */
export type Question =
  | 'identify'
  | 'reserve'
  | 'circuit'
  | 'dial-back'
  | 'token'
  | 'dcutr'
  | 'ping'
  | 'tunnel'
  | 'stream'

/** What an attack cost. */
export interface Cost {
  /** Processor time of all threads, in milliseconds. */
  cpuMs: number
  /** The most processor time between two turns of the event loop, in milliseconds: an innocent waits so long. */
  turnMs: number
}

const options = programOptions<{ kind: VictimKind; relay?: string; servicePort?: number }>()

/** How often it is looked whether the process has come to rest, in milliseconds. */
const SAMPLE_MS = 4

/** A process that takes less of so many samples in a row has come to rest. */
const REST = { samples: 3, cpuMs: 1 } as const

/** The longest time to come to rest, in milliseconds. */
const REST_MS = 12_000

/** Time for an answer of a hostile remote, in milliseconds. */
const ANSWER_MS = 250

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const PROTOCOL = '/throughnat-test/1'
let node: Libp2p
let began = 0
let longestTurnMs = 0
let sampler: NodeJS.Timeout | undefined

serve({
  start,
  /** Begins to measure. */
  begin: () => {
    clearInterval(sampler)
    let last = (began = cpuMs())
    longestTurnMs = 0
    sampler = setInterval(() => {
      const now = cpuMs()
      longestTurnMs = Math.max(longestTurnMs, now - last)
      last = now
    }, SAMPLE_MS)
  },
  /** Waits until nothing is left to do, and returns what it has cost since the beginning. */
  cost: async (): Promise<Cost> => {
    const deadline = performance.now() + REST_MS
    for (let quiet = 0; quiet < REST.samples && performance.now() < deadline; ) {
      const before = cpuMs()
      await pause(SAMPLE_MS)
      quiet = cpuMs() - before < REST.cpuMs ? quiet + 1 : 0
    }
    clearInterval(sampler)
    return { cpuMs: cpuMs() - began, turnMs: longestTurnMs }
  },
  dial,
  ask,
  connections: () => node.getConnections().length,
})

/** What a victim says of itself. */
export interface Started {
  addrs: string[]
  peerId: string
  /** Of the status server of a relay. */
  statusUrl?: string
}

async function start(): Promise<Started> {
  const logger = quietLogger()
  const common = logger === undefined ? {} : { logger }
  let statusUrl: string | undefined
  if (options.kind === 'relay') {
    const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
    const relay = await createRelay({ ...common, profile: 'private', listen })
    node = relay.libp2p
    statusUrl = (await startStatusServer(relay, { host: '127.0.0.1', port: 0 })).url
  } else {
    const relays = options.relay === undefined ? [] : [options.relay]
    const peer = await createPeer({ ...common, relays, portMapping: false })
    const address = { host: '127.0.0.1', port: options.servicePort ?? 0 }
    const services = createServices({
      services: new Map([['web', address]]),
      allow: new Map([['web', 'anyone']]),
    })
    await peer.libp2p.handle(TUNNEL_PROTOCOL, services.handle, tunnelHandlerOptions)
    if (relays.length > 0) await peer.reachable({ signal: AbortSignal.timeout(10_000) })
    node = peer.libp2p
  }
  const started = { addrs: node.getMultiaddrs().map(String), peerId: node.peerId.toString() }
  return statusUrl === undefined ? started : { ...started, statusUrl }
}

/** Connects to a hostile remote. Resolves with false if that fails. */
async function dial({ addr }: { addr: string }): Promise<boolean> {
  try {
    await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(ANSWER_MS) })
    return true
  } catch {
    return false
  }
}

/** Asks a hostile remote. Resolves with the name of the error, or '' if there was none. */
async function ask({ question, addr }: { question: Question; addr: string }): Promise<string> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS)
    const connection = await node.dial(multiaddr(addr), { signal })
    await QUESTIONS[question](connection, addr, signal)
    return ''
  } catch (error) {
    return (error as Error).name
  }
}

type Ask = (connection: Connection, addr: string, signal: AbortSignal) => Promise<unknown>

/** Somebody whom a circuit is asked for. */
const NOBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

const QUESTIONS: Readonly<Record<Question, Ask>> = {
  identify: async (connection, _, signal) =>
    (node.services as { identify: Identify }).identify.identify(connection, { signal }),
  reserve: async (connection, _, signal) =>
    requestReservation(connection, node.peerId, systemClock, { signal }),
  circuit: async (_, addr, signal) => node.dial(multiaddr(`${addr}/p2p-circuit/p2p/${NOBODY}`), { signal }),
  'dial-back': async (connection, _, signal) =>
    requestDialBack(connection, { addrs: node.getMultiaddrs(), nonce: 1n }, { signal }),
  token: async (connection, _, signal) => presentToken(connection, 'a token of this test', { signal }),
  dcutr: async (circuit, _, signal) =>
    openExchange({ circuit, offer: () => ({ addrs: [], reachable: [] }), plan: () => undefined }, { signal }),
  ping: async (connection, _, signal) => ping(connection, { signal }),
  tunnel: async (connection, _, signal) =>
    openService(async (protocols, init) => connection.newStream(protocols, init), 'web', {
      signal,
      keptMs: 0,
    }),
  stream: async (connection, _, signal) => connection.newStream([PROTOCOL, '/throughnat-test/2'], { signal }),
}
