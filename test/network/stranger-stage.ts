/** Strangers who crowd a peer that runs as a program of its own, and the peers that must get in all the same. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createServer, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createPeer } from '../../peer/index.ts'
import { decodeTicket } from '../../peer/tickets/ticket.ts'
import { openService } from '../../peer/tunnel/dialer/open-service.ts'
import { TUNNEL_PROTOCOL } from '../../peer/tunnel/wire/protocol.ts'
import { freePort } from './free-port.ts'
import { once } from '../waits.ts'
import { field, framed, STOP } from './hop-client.ts'
import { directory, Program, startListener, THROUGHNAT } from './program.ts'
import type { Connection, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Peer, PeerConnection } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

/** A peer that exposes the service `echo`, and what knows it. */
export interface Victim {
  listener: Program
  dataDir: string
  /** Its circuit address. */
  addr: string
  /** Its own addresses on loopback. */
  direct: string
  port: number
  relays: string[]
  /** The identity of a peer that a rule names. */
  named: PrivateKey
}

/** Starts a peer at these relays. One peer is named, all others need a ticket. */
export async function startVictim(t: TestContext, relays: string[], args: string[] = []): Promise<Victim> {
  const named = await generateKeyPair('Ed25519')
  const port = await freePort()
  const dataDir = await directory(t)
  const [first = '', ...others] = relays
  const { listener, addr } = await startListener(t, first, [
    ...others.flatMap(relay => ['--relay', relay]),
    '--data-dir',
    dataDir,
    `--port=${port}`,
    `--expose=echo=127.0.0.1:${await startEcho(t)}`,
    `--allow=echo=${peerIdFromPrivateKey(named)}`,
    ...args,
  ])
  const direct = `/ip4/127.0.0.1/tcp/${port}/p2p/${addr.split('/').at(-1)}`
  return { listener, dataDir, addr, direct, port, relays, named }
}

/** Has the victim issue a ticket. */
export async function issueTicket(t: TestContext, { dataDir }: Victim): Promise<string> {
  const issuing = new Program(t, THROUGHNAT, ['ticket', 'echo', '--json', '--data-dir', dataDir])
  const { text } = await issuing.line('ticket')
  return decodeTicket(String(text)).secret
}

/** Who visits, and over which way. */
export interface Visitor {
  privateKey?: PrivateKey
  ticket?: string
  /** @default the victim's circuit address */
  addr?: string
}

/** Opens the victim's service from a new node, and ends it. Resolves with the milliseconds from the dial to the echo. */
export async function visit(victim: Victim, visitor: Visitor = {}, timeoutMs = 10_000): Promise<number> {
  await using peer = await startVisitor(victim, visitor)
  const startedAt = performance.now()
  await use(peer, victim, visitor, timeoutMs)
  return performance.now() - startedAt
}

/** Visits with a ticket, again and again as a person does, within a time in milliseconds. Resolves with how long that took. */
export async function visitInTime(
  victim: Victim,
  ticket: string,
  withinMs: number,
  addr = victim.addr,
): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const leftMs = Math.ceil(withinMs - (performance.now() - startedAt))
    try {
      await visit(victim, { ticket, addr }, leftMs)
      return performance.now() - startedAt
    } catch (error) {
      if (leftMs < 500) throw error
      await pause(100)
    }
  }
}

/** Opens the service, and stays connected, with nothing open. */
export async function stay(t: TestContext, victim: Victim, visitor: Visitor): Promise<PeerConnection> {
  const peer = await startVisitor(victim, visitor)
  t.after(() => peer.stop())
  return use(peer, victim, visitor, 10_000)
}

async function startVisitor({ relays }: Victim, { privateKey }: Visitor): Promise<Peer> {
  return createPeer({ relays, reserve: false, ...(privateKey === undefined ? {} : { privateKey }) })
}

async function use(
  peer: Peer,
  victim: Victim,
  { ticket, addr = victim.addr }: Visitor,
  timeoutMs: number,
): Promise<PeerConnection> {
  const signal = AbortSignal.timeout(timeoutMs)
  const connection = await peer.connect(addr, { signal })
  const stream = await openService(
    async (protocols, options) => connection.newStream(protocols, options),
    'echo',
    { signal, ...(ticket === undefined ? {} : { credentials: { ticket } }) },
  )
  const answered = once(stream, 'message', { signal })
  stream.send(Buffer.from('hello'))
  stream.resume()
  await answered
  stream.abort(new Error('the visit is over'))
  return connection
}

/** A node that nobody knows. */
export async function startStranger(t: TestContext): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 })],
    connectionMonitor: { enabled: false },
    connectionManager: { maxConnections: 10_000 },
    services: { identify: identify(), ping: ping() },
  })
  t.after(() => node.stop())
  return node
}

/** Opens a connection, whatever connections there are. */
export async function dial(
  node: Libp2p,
  addr: string,
  signal = AbortSignal.timeout(20_000),
): Promise<Connection> {
  const { transportManager } = (node as unknown as { components: { transportManager: TransportManager } })
    .components
  return transportManager.dial(multiaddr(addr), { signal })
}

/** Opens as many connections as the victim takes of these. */
export async function crowd(nodes: readonly Libp2p[], addr: string, each: number): Promise<Connection[]> {
  const opened: Connection[] = []
  await Promise.all(
    nodes.map(async node => {
      for (let n = 0; n < each; n++)
        await dial(node, addr).then(
          it => opened.push(it),
          () => {},
        )
    }),
  )
  return opened
}

/** Opens sockets that say nothing, one from each of these addresses. */
export async function openSilent(
  t: TestContext,
  port: number,
  localAddresses: readonly string[],
): Promise<Socket[]> {
  return Promise.all(
    localAddresses.map(async localAddress => {
      const socket = connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {})
      t.after(() => socket.destroy())
      // the victim may reset it first
      await once(socket, 'connect').catch(() => {})
      return socket
    }),
  )
}

async function startEcho(t: TestContext): Promise<number> {
  const server = createServer(socket => void socket.on('error', () => {}).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Opens streams that ask for no service. */
export async function openSilentStreams(connection: Connection, count: number): Promise<void> {
  const options = { maxOutboundStreams: Infinity, runOnLimitedConnection: true } as const
  for (let n = 0; n < count; n += 64)
    await Promise.all(
      Array.from({ length: Math.min(64, count - n) }, () =>
        connection.newStream(TUNNEL_PROTOCOL, options).catch(() => {}),
      ),
    )
}

/** Has a relay hand over circuits of this peer, or of peers that are made up, and send nothing on them. */
export async function handOver(relay: Relay, victim: Victim, count: number, peerId?: PeerId): Promise<void> {
  const to = peerIdFromString(victim.addr.split('/').at(-1) ?? '')
  const [connection] = relay.libp2p.getConnections(to)
  if (connection === undefined) throw new Error('the victim is not connected to the relay')
  for (let n = 0; n < count; n++) {
    const from = peerId ?? peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const stream = await connection.newStream(STOP, { maxOutboundStreams: Infinity })
    stream.send(framed(Buffer.concat([field(1, 0), field(2, field(1, from.toMultihash().bytes))])))
  }
}
