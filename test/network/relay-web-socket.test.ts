/** A relay that listens for WebSockets, for peers in networks that let nothing else out. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import tls from 'node:tls'
import { createPeer } from '../../peer/index.ts'
import { createRelay } from '../../relay/index.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { startRelay } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { TestContext } from 'node:test'
import type { Peer, PeerInit } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 40_000 }
const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

async function startPeer(t: TestContext, init: PeerInit): Promise<Peer> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return peer
}

function portOf(relay: Relay): number {
  return Number(/\/tcp\/(\d+)\//.exec(String(relay.addrs[0]))?.[1])
}

/** Two peers meet over a circuit at this relay. */
async function assertRelays(t: TestContext, relay: Relay): Promise<void> {
  const relays = [...relay.addrs]
  const listener = await startPeer(t, { relays })
  await listener.reachable(within(20_000))
  const dialer = await startPeer(t, { relays, reserve: false })
  const connection = await dialer.connect(listener.peerId, within(20_000))
  assert.ok((await connection.ping(within(10_000))).rttMs > 0)
}

describe('over /ws', () => {
  it('peers reserve and connect', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
    assert.match(String(relay.addrs[0]), /\/tcp\/\d+\/ws\/p2p\//)
    await assertRelays(t, relay)
  })

  it('a relay may listen beside plain TCP', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] })
    assert.equal(relay.addrs.length, 2)
  })

  it('a socket that says nothing is closed', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
    const socket = net.connect(portOf(relay), '127.0.0.1')
    t.after(() => socket.destroy())
    await once(socket, 'close', within(30_000))
  })

  it('a message of more than 1 MiB ends the connection', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
    const socket = await openWebSocket(t, relay)
    socket.write(frame(2 * 1024 * 1024))
    // RFC 6455, section 7.4.1: the message is too big
    assert.equal(await closeCode(socket), 1009)
    await assertRelays(t, relay)
  })

  it('a malformed frame ends its connection and not the relay', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
    const socket = await openWebSocket(t, relay)
    // reserved bits, and an opcode that does not exist
    socket.write(Buffer.of(0xff, 0x80, 0, 0, 0, 0))
    // RFC 6455, section 7.4.1: protocol error
    assert.equal(await closeCode(socket), 1002)
    await assertRelays(t, relay)
  })
})

async function openWebSocket(t: TestContext, relay: Relay): Promise<net.Socket> {
  const socket = net.connect(portOf(relay), '127.0.0.1')
  t.after(() => socket.destroy())
  const request = ['GET / HTTP/1.1', 'Host: relay', 'Upgrade: websocket', 'Connection: Upgrade']
  socket.write(
    [...request, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Version: 13\r\n\r\n'].join(
      '\r\n',
    ),
  )
  const [answer] = (await once(socket, 'data', within(10_000))) as [Buffer]
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /)
  return socket
}

/** The head of a masked binary message that says it has so many bytes. */
function frame(bytes: number): Buffer {
  const head = Buffer.alloc(14)
  head.set([0x82, 0x80 | 127])
  head.writeBigUInt64BE(BigInt(bytes), 2)
  return head
}

/** The code of the close frame that comes next; frames of libp2p's handshake may come before. */
async function closeCode(socket: net.Socket): Promise<number> {
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  await once(socket, 'close', within(10_000))
  const all = Buffer.concat(received)
  return all.readUInt16BE(all.length - 2)
}

describe('over /tls/ws', () => {
  let directory = ''
  const files = { tlsCert: '', tlsKey: '' }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'throughnat-tls-'))
    Object.assign(files, newCertificate('relay.example'))
  })
  after(async () => rm(directory, { recursive: true, force: true }))

  function newCertificate(
    name: string,
    key: readonly string[] = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ): { tlsCert: string; tlsKey: string } {
    const [tlsCert, tlsKey] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    const out = ['-nodes', '-days', '1', '-keyout', tlsKey, '-out', tlsCert]
    execFileSync('openssl', ['req', '-x509', '-newkey', ...key, ...subject, ...out], { stdio: 'ignore' })
    return { tlsCert, tlsKey }
  }

  /** The subject that a client is shown; one that dials an IP address names no host (RFC 6066 section 3). */
  async function subjectShown(port: number, servername: string | undefined): Promise<string> {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      ...(servername === undefined ? {} : { servername }),
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect', within(10_000))
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return String(subject.CN)
  }

  const clients = [
    ['a client that names the host', 'relay.example'],
    ['a client that names another host', 'other.example'],
    ['a client that dials the IP address', undefined],
  ] as const

  for (const [client, servername] of clients) {
    it(`shows ${client} the given certificate, and the new one after it was renewed`, LIMIT, async t => {
      const listen = ['/ip4/127.0.0.1/tcp/0/tls/ws', '/ip4/127.0.0.1/tcp/0/tls/ws']
      const relay = await startRelay(t, { listen, ...newCertificate('relay.example') })
      assert.match(String(relay.addrs[0]), /\/tls\/ws\/p2p\//)
      const ports = relay.addrs.map(addr => endpointOf(addr).port)
      const shown = async (): Promise<string[]> =>
        Promise.all(ports.map(async port => subjectShown(port, servername)))
      assert.deepEqual(await shown(), ['relay.example', 'relay.example'])
      // with a key of another kind
      newCertificate('renewed.example', ['rsa:2048'])
      await relay.reloadCertificate()
      assert.deepEqual(await shown(), ['renewed.example', 'renewed.example'])
      writeFileSync(files.tlsCert, 'damaged')
      await assert.rejects(relay.reloadCertificate(), { name: 'CertificateError' })
      assert.deepEqual(await shown(), ['renewed.example', 'renewed.example'])
      await relay.stop()
      newCertificate('relay.example')
      await relay.reloadCertificate()
    })
  }

  it('keeps a connection that was made before its certificate was renewed', LIMIT, async t => {
    const relay = await startRelay(t, {
      listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'],
      ...newCertificate('relay.example'),
    })
    const socket = tls.connect({ port: portOf(relay), host: '127.0.0.1', rejectUnauthorized: false })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect', within(10_000))
    newCertificate('renewed.example')
    await relay.reloadCertificate()
    socket.write('GET / HTTP/1.1\r\nHost: relay\r\n\r\n')
    const [answer] = (await once(socket, 'data', within(10_000))) as [Buffer]
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 /)
  })

  it('needs a certificate', LIMIT, async () => {
    await assert.rejects(createRelay({ listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'] }), {
      name: 'InvalidConfigError',
      message: /needs a certificate: set tls-cert and tls-key/,
    })
    await assert.rejects(createRelay({ tlsCert: files.tlsCert }), { name: 'InvalidConfigError' })
  })

  it('does not start with a certificate that cannot be used', LIMIT, async () => {
    const listen = ['/ip4/127.0.0.1/tcp/0/tls/ws']
    const missing = { ...files, tlsCert: join(directory, 'none.pem') }
    await assert.rejects(createRelay({ listen, ...missing }), {
      name: 'CertificateError',
      message: /none\.pem.*ENOENT/,
    })
    const swapped = { tlsCert: files.tlsKey, tlsKey: files.tlsCert }
    assert.ok(readFileSync(files.tlsKey).length > 0)
    await assert.rejects(createRelay({ listen, ...swapped }), { name: 'CertificateError' })
  })
})
