/**
 * Has a WebSocket connect to the addresses that were judged.
 *
 * Fault of `@libp2p/websockets` 10.1.21: it hands a name to Node's WebSocket, which looks it up by itself (index.js
 * `_connect`). The owner of the name can give one address to the judge and another one to the WebSocket (DNS rebinding).
 * Here the WebSocket gets the addresses from the judge. It takes them with a `dispatcher` of its own
 * (https://github.com/nodejs/undici/blob/main/docs/docs/api/WebSocket.md), an `Agent` of the undici in Node.js, which is
 * not exported: its class is that of the global dispatcher.
 *
 * Upstream issue: by design.
 */

import { CODE_TLS, CODE_WSS } from '@multiformats/multiaddr'
import { endpointOf } from '../../addresses/endpoint.ts'
import { isNamed } from '../../addresses/resolve-host.ts'
import { shapeCheck } from '../expect-shape.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { LookupAddress } from 'node:dns'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Judges addresses. */
export interface AddressJudge {
  /** True for an address that is dialled as it is, whatever it stands for. */
  isGiven(addr: Multiaddr): boolean
  /** The addresses to dial for another one. Rejects if there are none. */
  resolve(addr: Multiaddr, options: AbortOptions): Promise<Multiaddr[]>
}

/** The private method that the patch replaces. */
interface WebSocketTransport {
  _connect: (addr: Multiaddr, options: AbortOptions) => Promise<WebSocket>
}

type LookUp = (
  host: string,
  options: { all?: boolean },
  callback: (error: null, found: LookupAddress[] | string, family?: number) => void,
) => void

type AgentClass = new (init: { connect: { lookup: LookUp } }) => object

/** Where undici keeps its global dispatcher (undici, lib/global.js). */
const GLOBAL_DISPATCHER = Symbol.for('undici.globalDispatcher.1')

const assertShape = shapeCheck('@libp2p/websockets', { _connect: 'function' })

/** Patches one transport. Returns it. @throws {UpstreamChangedError} */
export function pinNames<T extends object>(transport: T, judge: AddressJudge): T {
  assertShape(transport)
  const internals = transport as unknown as WebSocketTransport
  const connect = internals._connect.bind(internals)
  internals._connect = async (addr, options) => {
    if (judge.isGiven(addr)) return connect(addr, options)
    const addrs = await judge.resolve(addr, options)
    return isNamed(addr) ? connectPinned(addr, addrs, options) : connect(addr, options)
  }
  return transport
}

/** Opens a WebSocket to a name at these addresses. Rejects as `_connect` does. */
async function connectPinned(
  addr: Multiaddr,
  addrs: readonly Multiaddr[],
  { signal }: AbortOptions,
): Promise<WebSocket> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = openAt(addr, addrs.map(endpointOf))
  socket.binaryType = 'arraybuffer'
  const onAbort = (): void => reject(signal?.reason)
  socket.addEventListener('open', () => resolve(), { once: true })
  socket.addEventListener('error', reject, { once: true })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
    return socket
  } catch (error) {
    socket.close()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function openAt(addr: Multiaddr, endpoints: ReadonlyArray<{ host: string }>): WebSocket {
  const { host, port } = endpointOf(addr)
  const isSecure = addr.getComponents().some(({ code }) => code === CODE_TLS || code === CODE_WSS)
  const found = endpoints.map(it => ({ address: it.host, family: it.host.includes(':') ? 6 : 4 }))
  const lookup: LookUp = (_host, { all }, callback) => {
    const [first] = found
    if (all === true) callback(null, found)
    else callback(null, first?.address ?? '', first?.family ?? 0)
  }
  // the global dispatcher is there once the WebSocket is loaded
  const { WebSocket: Socket } = globalThis as unknown as {
    WebSocket: new (url: string, options: { dispatcher: object }) => WebSocket
  }
  const dispatcher = new (agentClass())({ connect: { lookup } })
  return new Socket(`${isSecure ? 'wss' : 'ws'}://${host}:${port}`, { dispatcher })
}

/** @throws {TypeError} if this Node.js keeps it elsewhere: then a name cannot be pinned, and is not dialled */
function agentClass(): AgentClass {
  const dispatcher = (globalThis as Record<symbol, unknown>)[GLOBAL_DISPATCHER]
  if (typeof dispatcher !== 'object' || dispatcher === null)
    throw new TypeError('this version of Node.js keeps its undici elsewhere: a name cannot be pinned')
  return dispatcher.constructor as AgentClass
}
