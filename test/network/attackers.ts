/** Sockets of remotes that mean harm, each from an address of their own on loopback. */

import { connect } from 'node:net'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { inTime, until } from '../waits.ts'
import type { Socket } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'

/** A TLS record that begins a handshake and announces 512 bytes, of which the first comes. */
const HALF_HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])

/** What a remote may send to an HTTP server without ever finishing. */
export const UNFINISHED: Readonly<Record<string, string | Buffer>> = {
  nothing: '',
  'half a head': 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n',
  'half a body': 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nabc',
  'half a request for a WebSocket':
    'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
  'a request that keeps the connection': 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
}

/** The same for a TLS server. */
export const UNFINISHED_TLS: Readonly<Record<string, string | Buffer>> = {
  nothing: '',
  'half a TLS handshake': HALF_HELLO,
}

/** Open sockets of one remote. */
export interface Attackers {
  /** How many the server has not closed. */
  readonly open: number
}

/** Opens sockets, one after the other, that send these bytes and no more. */
export async function attack(
  t: TestContext,
  at: { port: number; from: string },
  count: number,
  bytes: string | Buffer,
): Promise<Attackers> {
  const sockets: Socket[] = []
  t.after(() => sockets.forEach(it => it.destroy()))
  for (let n = 0; n < count; n++) {
    const socket = connect({ port: at.port, host: '127.0.0.1', localAddress: at.from })
    socket.on('error', () => {}).resume()
    sockets.push(socket)
    const sent = Promise.withResolvers<void>()
    socket.once('connect', () => socket.write(bytes, () => sent.resolve()))
    socket.once('close', () => sent.resolve())
    await inTime(sent.promise, 'the bytes of an attacker have left')
  }
  return {
    get open() {
      return sockets.filter(it => !it.destroyed).length
    },
  }
}

/** Resolves when the server has closed all but so many sockets. */
export async function leftOpen(attackers: Attackers, count: number, timeoutMs?: number): Promise<void> {
  await until(() => attackers.open <= count, `at most ${count} attackers are left`, timeoutMs)
}

/** The TCP port of an address. */
export function tcpPortOf(addr: Multiaddr | undefined): number {
  if (addr === undefined) throw new Error('there is no address')
  return endpointOf(addr).port
}
