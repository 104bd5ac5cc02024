/** Nodes that want to be dialled back, and bytes of AutoNAT v2 written by hand. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { dialBack } from '../../src/protocols/autonat/service.ts'
import { field, fieldsOf, framed, messageIn, numberIn } from './hop-client.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { ServiceFactoryMap } from 'libp2p'
import type { DialBackService } from '../../src/protocols/autonat/service.ts'
import type { Relay } from '../../relay/index.ts'
import type { DialBackServer } from '../../relay/dial-back/service.ts'

export const DIAL_REQUEST = '/libp2p/autonat/2/dial-request'
export const DIAL_BACK = '/libp2p/autonat/2/dial-back'

/** A node that can verify its addresses. */
export type Verifier = Libp2p<{ dialBack: DialBackService }>

/** Starts one that listens on loopback; resolves with its address too. */
export async function startVerifier(t: TestContext): Promise<{ node: Verifier; addr: Multiaddr }> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), dialBack: dialBack() },
  })
  t.after(() => node.stop())
  const [own] = node.getMultiaddrs()
  return { node, addr: (own as Multiaddr).decapsulate('/p2p') }
}

/** Starts a plain node that others can dial, and ask for whatever a test has it handle. */
export async function startRemote(
  t: TestContext,
  services: ServiceFactoryMap = {},
): Promise<{ node: Libp2p; addr: Multiaddr }> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services,
  })
  t.after(() => node.stop())
  const [addr] = node.getMultiaddrs()
  return { node, addr: addr as Multiaddr }
}

/** How many peers a relay is dialling back. */
export function turnsOf(relay: Relay): number {
  return (relay.libp2p.services as unknown as { dialBack: DialBackServer }).dialBack.size
}

/** A loopback endpoint. */
export function loopback(port: number, host = '127.0.0.1'): Multiaddr {
  return multiaddr(`/ip4/${host}/tcp/${port}`)
}

/** A `fixed64` field. */
export function fixed64Field(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = (number << 3) | 1
  bytes.writeBigUInt64LE(value, 1)
  return bytes
}

/** A dial request, with its length before it. */
export function dialRequest(addrs: readonly Uint8Array[], nonce = 7n): Buffer {
  const body = Buffer.concat([...addrs.map(addr => field(1, addr)), fixed64Field(2, nonce)])
  return framed(field(1, body))
}

/** A dial response. */
export function dialResponse(status: number, dialStatus: number, index = 0): Buffer {
  return framed(field(2, Buffer.concat([field(1, status), field(2, index), field(3, dialStatus)])))
}

/** What a relay answers to a request, read by hand; fields that are absent are 0. */
export async function askByHand(
  connection: Connection,
  request: Uint8Array,
): Promise<{ status: number; index: number; dialStatus: number }> {
  const stream = await openRequest(connection)
  stream.send(request)
  const response = await readResponse(stream)
  await stream.close()
  return response
}

export async function openRequest(connection: Connection): Promise<Stream> {
  const signal = AbortSignal.timeout(20_000)
  return connection.newStream(DIAL_REQUEST, { maxOutboundStreams: Infinity, signal })
}

export async function readResponse(
  stream: Stream,
): Promise<{ status: number; index: number; dialStatus: number }> {
  const messages = lpStream(stream)
  const body = await messages.read({ signal: AbortSignal.timeout(20_000) })
  messages.unwrap()
  const response = messageIn(fieldsOf(body.subarray()), 2)
  const [status = 0, index = 0, dialStatus = 0] = [1, 2, 3].map(at => numberIn(response, at))
  return { status, index, dialStatus }
}
