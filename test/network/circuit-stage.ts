/**
 * A relay on loopback, and nodes around it: ours, which punches, and plain ones whose DCUtR a test writes by hand.
 *
 * Our node is announced at a public address, so that it has something to offer; nobody dials that.
 */

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp as stockTcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { createRelay } from '../../relay/index.ts'
import { dcutr, tcp } from '../../src/index.ts'
import { inTime, once } from '../waits.ts'
import type { DCUtRServiceInit } from '@libp2p/dcutr'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit } from '../../relay/index.ts'
import type { HolePunchService } from '../../src/index.ts'

/** Where our node says it is: an address of the lab's, which leads nowhere from here. */
export const ANNOUNCED = '/ip4/11.22.33.44/tcp/4001'

const ECHO = '/test/echo/1'

/** A node that punches. */
export type Punching = Libp2p<{ dcutr: HolePunchService }>

/** Where a relay is, in this process or another. */
export interface RelayAddrs {
  readonly addrs: readonly (string | Multiaddr)[]
}

/** Starts a relay on loopback, where its peers are, too. */
export async function startRelay(t: TestContext, init: RelayInit = {}): Promise<Relay> {
  const relay = await createRelay({
    profile: 'private',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    dialBackToThisHost: true,
    ...init,
  })
  t.after(() => relay.stop())
  return relay
}

/** Starts our node, which holds a reservation. */
export async function startPunching(
  t: TestContext,
  relay: Relay,
  { announce = [ANNOUNCED], dcutrInit }: { announce?: string[]; dcutrInit?: DCUtRServiceInit } = {},
): Promise<Punching> {
  const circuit = `${relay.addrs[0]}/p2p-circuit`
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', circuit], announce },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), dcutr: dcutr(dcutrInit) },
  })
  return started(t, node)
}

/** Starts a node that holds a reservation, listens nowhere else and does not speak DCUtR. */
export async function startPlain(t: TestContext, relay: RelayAddrs): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: [`${relay.addrs[0]}/p2p-circuit`] },
    transports: [stockTcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
  })
  return started(t, node)
}

async function started<Node extends Libp2p>(t: TestContext, node: Node): Promise<Node> {
  t.after(() => node.stop())
  await node.handle(ECHO, echo, { runOnLimitedConnection: true })
  return node
}

/** Connects over the relay; resolves with both ends of the circuit. */
export async function connectCircuit(
  from: Libp2p,
  to: Libp2p,
  relay: RelayAddrs,
): Promise<{ circuit: Connection; accepted: Connection }> {
  const accepted = nextCircuit(to)
  const circuit = await from.dial(multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${to.peerId}`))
  return { circuit, accepted: await accepted }
}

async function nextCircuit(node: Libp2p): Promise<Connection> {
  return new Promise(resolve => {
    const onOpen = ({ detail }: CustomEvent<Connection>): void => {
      if (!Circuit.exactMatch(detail.remoteAddr)) return
      node.removeEventListener('connection:open', onOpen)
      resolve(detail)
    }
    node.addEventListener('connection:open', onOpen)
  })
}

async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) stream.send(data)
  await stream.close()
}

/** Asserts that bytes cross a connection both ways. */
export async function assertCarries(connection: Connection): Promise<void> {
  assert.equal(connection.status, 'open')
  const signal = AbortSignal.timeout(5_000)
  const stream = await connection.newStream(ECHO, { runOnLimitedConnection: true, signal })
  stream.send(Buffer.from('still here'))
  await stream.close({ signal })
  const back: Buffer[] = []
  for await (const data of stream) back.push(Buffer.from(data.subarray()))
  assert.equal(Buffer.concat(back).toString(), 'still here')
}

/** Resolves when the other side has reset or closed a stream. */
export async function streamEnded(stream: Stream): Promise<void> {
  if (stream.status !== 'open') return
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.addEventListener('close', () => resolve(), { once: true })
  stream.addEventListener('remoteCloseWrite', () => resolve(), { once: true })
  await inTime(promise, 'the other side resets or closes the stream')
}

/** A listener on loopback that must not be dialled: it counts who comes all the same. */
export async function startTrap(t: TestContext): Promise<{ readonly port: number; readonly visits: number }> {
  let visits = 0
  const server = createServer(socket => {
    visits++
    socket.destroy()
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    get visits() {
      return visits
    },
  }
}
