/**
 * Real libp2p nodes on loopback for the tunnel's tests: two connected directly, or over a relay's circuit.
 *
 * Everything that is started here is stopped when the test ends.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { once } from '../waits.ts'
import type { Connection, Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { isCircuit } from '../../src/addresses/circuit.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { muxer } from '../../src/muxer/muxer.ts'
import { createRelay } from '../../relay/index.ts'
import { forwardLocal } from '../../peer/tunnel/dialer/forward.ts'
import type { LocalForward } from '../../peer/tunnel/dialer/forward.ts'
import type { OpenStream } from '../../peer/tunnel/dialer/open-service.ts'
import { TUNNEL_PROTOCOL, tunnelHandlerOptions } from '../../peer/tunnel/wire/protocol.ts'
import { createServices } from '../../peer/tunnel/listener/services.ts'
import type { ContinuityOptions } from '../../peer/tunnel/resume/resumer.ts'
import type { ServicesLimits } from '../../peer/tunnel/listener/service-limits.ts'
import type { Services, ServicesInit } from '../../peer/tunnel/listener/services.ts'

export type Path = 'direct' | 'relayed'

export const paths: readonly Path[] = ['direct', 'relayed']

/** Two connected nodes and a way to open streams from the dialer to the listener. */
export interface Nodes {
  dialer: Libp2p
  listener: Libp2p
  connection: Connection
  openStream: OpenStream
}

/** Connects two nodes over the path. A relayed connection has limits, as most relays set them. */
export async function connectNodes(t: TestContext, path: Path): Promise<Nodes> {
  const relayAddress = path === 'relayed' ? await startRelay(t) : undefined
  const listener = await startNode(t, relayAddress)
  const dialer = await startNode(t)
  const addresses = listener.getMultiaddrs().filter(address => isCircuit(address) === (path === 'relayed'))
  const connection = await dialer.dial(addresses, { signal: t.signal })
  return {
    dialer,
    listener,
    connection,
    openStream: (protocols, options) => connection.newStream(protocols, options),
  }
}

/** Connects another node to the listener, directly. */
export async function connectTo(t: TestContext, { listener }: Nodes): Promise<Nodes> {
  const dialer = await startNode(t)
  const addresses = listener.getMultiaddrs().filter(address => !isCircuit(address))
  const connection = await dialer.dial(addresses, { signal: t.signal })
  const openStream: OpenStream = (protocols, options) => connection.newStream(protocols, options)
  return { dialer, listener, connection, openStream }
}

async function startNode(t: TestContext, relayAddress?: Multiaddr): Promise<Libp2p> {
  const circuits = relayAddress === undefined ? [] : [`${relayAddress.toString()}/p2p-circuit`]
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', ...circuits] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    // as in peer/node/libp2p.ts
    streamMuxers: [muxer({ maxInboundStreams: 2048, maxOutboundStreams: 2048, maxEarlyStreams: 2048 })],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
  t.after(() => node.stop())
  return node
}

async function startRelay(t: TestContext): Promise<Multiaddr> {
  // Limits that no test reaches: what counts is that libp2p takes the connection for a limited one.
  const limits = { circuitBytes: 2 ** 40, circuitDurationMs: 600_000 }
  const relay = await createRelay({ profile: 'private', listen: ['/ip4/127.0.0.1/tcp/0'], ...limits })
  t.after(() => relay.stop())
  const [address] = relay.addrs
  if (address === undefined) throw new Error('The relay listens nowhere')
  return address
}

/** Puts services on the listener. */
export async function expose(t: TestContext, nodes: Nodes, init: ServicesInit): Promise<Services> {
  const services = createServices(init)
  t.after(() => services.stop())
  await nodes.listener.handle(TUNNEL_PROTOCOL, services.handle, tunnelHandlerOptions)
  return services
}

/** Exposes one local port under the name `web`, to anyone. */
export function exposePort(
  t: TestContext,
  nodes: Nodes,
  port: number,
  limits: Partial<ServicesLimits> = {},
): Promise<Services> {
  const services = new Map([['web', { host: '127.0.0.1', port }]])
  return expose(t, nodes, { services, allow: new Map([['web', 'anyone']]), limits })
}

/** Forwards a free local port to the listener's service. */
export async function forward(
  t: TestContext,
  nodes: Nodes,
  init: { service?: string } & ContinuityOptions = {},
): Promise<LocalForward> {
  const { openStream } = nodes
  const local = await forwardLocal({ host: '127.0.0.1', port: 0, openStream, service: 'web', ...init })
  t.after(() => local.stop())
  return local
}

/** Runs a local TCP service. */
export async function serve(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<Server & { port: number }> {
  const server = createServer({ allowHalfOpen: true }, onSocket).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

/** A service that sends back what it gets and ends when its caller does. */
export function serveEcho(t: TestContext): Promise<Server & { port: number }> {
  return serve(t, socket => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
}

/** Connects to a local port. */
export async function call(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  t.after(() => socket.destroy())
  await once(socket, 'connect', { signal: t.signal })
  return socket
}

/** Reads a socket to its end. Rejects when it is reset. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Resolves with the code of the error that ends a socket, or with 'end' when it ended cleanly. */
export function outcome(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name))
    socket.on('end', () => resolve('end'))
    socket.resume()
  })
}
