/** Remotes that break the rules of `/tls/1.0.0`: each is refused with a clear error, and costs little. */

import assert from 'node:assert/strict'
import { connect as connectTcp, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createLibp2p } from 'libp2p'
import { tls } from '../../src/encryption/tls.ts'
import { muxer } from '../../src/muxer/muxer.ts'
import { proposalOf } from '../../src/protocols/optimistic-stream.ts'
import { tcp } from '../../src/transport/shared-port-tcp.ts'
import { makeCertificate } from '../tls-certificates.ts'
import { once, until } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { ConnectionOptions, TLSSocketOptions } from 'node:tls'
import type { Libp2p } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Difference } from '../tls-certificates.ts'

const LIMIT = { timeout: 30_000 }
const PROPOSAL = proposalOf('/tls/1.0.0')
const DAY_MS = 24 * 60 * 60_000
const identity = await generateKeyPair('Ed25519')
const CERTIFICATE = await makeCertificate(identity)

const RULES = {
  minVersion: 'TLSv1.3',
  rejectUnauthorized: false,
  ALPNProtocols: ['/yamux/1.0.0', 'libp2p'],
} as const

async function start(t: TestContext): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [muxer()],
  })
  t.after(() => node.stop())
  return node
}

/** A socket to a node on which TLS has been agreed upon. */
async function agree(t: TestContext, node: Libp2p): Promise<Socket> {
  const { port } = portOf(node)
  const socket = connectTcp(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(PROPOSAL)
  let answer = Buffer.alloc(0)
  while (answer.byteLength < PROPOSAL.byteLength) {
    const [data] = (await once(socket, 'data')) as [Buffer]
    answer = Buffer.concat([answer, data])
  }
  socket.removeAllListeners('data')
  socket.pause()
  return socket
}

function portOf(node: Libp2p): { port: number } {
  return { port: Number(/\/tcp\/(\d+)/.exec(String(node.getMultiaddrs()[0]))?.[1]) }
}

/** A node dials a server that answers with this, and returns what the dial fails with. */
async function dialInto(t: TestContext, answer: (socket: Socket) => void): Promise<Error> {
  const node = await start(t)
  const server = createServer(socket => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.once('data', data => {
      socket.pause()
      socket.write(PROPOSAL)
      // what follows the proposal is the first message of the handshake
      const hello = data.subarray(PROPOSAL.byteLength)
      if (hello.byteLength > 0) socket.unshift(hello)
      answer(socket)
    })
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const expected = peerIdFromPrivateKey(identity)
  const dial = node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${expected}`), {
    signal: AbortSignal.timeout(10_000),
  })
  const error = await dial.then(
    () => assert.fail('the dial has succeeded'),
    (reason: Error) => reason,
  )
  assert.equal(node.getConnections().length, 0)
  return error
}

async function startServer(socket: Socket, difference: Difference, options: TLSSocketOptions): Promise<void> {
  const { cert, key } = await makeCertificate(identity, difference)
  const server = new TLSSocket(socket, { isServer: true, cert, key, ...RULES, requestCert: true, ...options })
  server.on('error', () => {})
}

const other = await generateKeyPair('Ed25519')

describe('a dial fails, and says why,', () => {
  for (const [what, difference, message] of [
    ['has expired', { notAfter: Date.now() - DAY_MS, notBefore: Date.now() - 2 * DAY_MS }, /has expired/],
    ['lacks the extension', { extensions: () => [] }, /lacks the extension/],
    ['has a wrong signature', { signedKey: (right: Buffer) => flipped(right) }, /certificate/],
  ] as const)
    it(`when the certificate ${what}`, LIMIT, async t => {
      const error = await dialInto(t, socket => void startServer(socket, difference, {}))
      assert.match(error.message, message)
    })

  it('when another peer answers', LIMIT, async t => {
    const { cert, key } = await makeCertificate(other)
    const error = await dialInto(t, socket => void startServer(socket, {}, { cert, key }))
    assert.match(error.message, /does not match expected remote identity/)
  })

  it('when the other side speaks no more than TLS 1.2', LIMIT, async t => {
    const old = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
    const error = await dialInto(t, socket => void startServer(socket, {}, old))
    assert.match(error.message, /version/i)
  })

  it('when the other side chooses a multiplexer that was not offered, or none', LIMIT, async t => {
    const odd = { ALPNProtocols: [], ALPNCallback: () => undefined } as TLSSocketOptions
    const error = await dialInto(t, socket => void startServer(socket, {}, odd))
    assert.match(error.message, /alert|protocol/i)
  })

  for (const [what, answer, message] of [
    [
      'answers with garbage',
      (socket: Socket) => socket.write(Buffer.alloc(600, 0x5a)),
      /wrong version|packet|record/i,
    ],
    [
      'answers with an alert',
      (socket: Socket) => socket.write(Buffer.from('15030300020228', 'hex')),
      /alert/,
    ],
    [
      'announces the end of TLS',
      (socket: Socket) => socket.write(Buffer.from('15030300020100', 'hex')),
      /ended|alert/,
    ],
    ['ends the connection', (socket: Socket) => socket.end(), /ended/],
    ['cuts off a record', (socket: Socket) => socket.end(Buffer.from('160303007a0200', 'hex')), /ended/],
    [
      'resets the connection',
      (socket: Socket) => setTimeout(() => socket.resetAndDestroy(), 50),
      /ECONNRESET/,
    ],
  ] as const)
    it(`when the other side ${what}`, LIMIT, async t => {
      const error = await dialInto(t, socket => void answer(socket))
      assert.match(error.message, message)
    })

  it('when its signal is aborted', LIMIT, async t => {
    const node = await start(t)
    const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const connecting = new AbortController()
    server.once('connection', () => connecting.abort(new Error('enough')))
    await assert.rejects(node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { signal: connecting.signal }))
  })
})

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  changed[changed.byteLength - 1] = (changed.at(-1) ?? 0) ^ 1
  return changed
}

describe('a listener ends the connection of a remote', () => {
  const refused = async (t: TestContext, options: ConnectionOptions): Promise<void> => {
    const node = await start(t)
    const socket = await agree(t, node)
    const client = connectTls({ socket, ...RULES, ...options })
    client.on('error', () => {})
    await until(() => socket.closed)
    assert.equal(node.getConnections().length, 0)
  }

  it('that shows no certificate', LIMIT, async t => refused(t, {}))
  it('that speaks no more than TLS 1.2', LIMIT, async t =>
    refused(t, { ...CERTIFICATE, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
  )
  it('that shows a certificate that has expired', LIMIT, async t =>
    refused(t, await makeCertificate(identity, { notAfter: Date.now() - 1 })),
  )
  it('that shows a certificate without the extension', LIMIT, async t =>
    refused(t, await makeCertificate(identity, { extensions: () => [] })),
  )
  it('that offers only other protocols in ALPN', LIMIT, async t =>
    refused(t, { ...CERTIFICATE, ALPNProtocols: ['h2'] }),
  )
  it('that shows a certificate and its issuer', LIMIT, async t => {
    const second = await makeCertificate(other)
    await refused(t, { key: CERTIFICATE.key, cert: CERTIFICATE.cert + second.cert })
  })

  for (const [what, bytes] of [
    ['that sends garbage', Buffer.alloc(600, 0x5a)],
    ['that sends an alert', Buffer.from('15030300020228', 'hex')],
    ['that announces the end of TLS', Buffer.from('15030300020100', 'hex')],
  ] as const)
    it(what, LIMIT, async t => {
      const socket = await agree(t, await start(t))
      socket.resume().write(bytes)
      await until(() => socket.closed)
    })

  it('that ends the connection within its first message', LIMIT, async t => {
    const socket = await agree(t, await start(t))
    socket.resume().end(Buffer.from('160301007a0100', 'hex'))
    await until(() => socket.closed)
  })

  it('that begins a message of more than 128 KiB', LIMIT, async t => {
    const socket = await agree(t, await start(t))
    socket.resume().write(Buffer.concat([Buffer.from('1603014000010fffff', 'hex'), Buffer.alloc(16_380)]))
    await until(() => socket.closed)
  })
})

describe('a listener', () => {
  it('accepts a remote without ALPN, and gives it no way to resume the session', LIMIT, async t => {
    const node = await start(t)
    const socket = await agree(t, node)
    const client = connectTls({ socket, ...RULES, ...CERTIFICATE, ALPNProtocols: [] })
    const sessions: Buffer[] = []
    client.on('session', session => sessions.push(session))
    await once(client, 'secureConnect')
    // the node proposes the multiplexer on the encrypted connection
    client.write(proposalOf('/yamux/1.0.0'))
    await once(client, 'data')
    await until(() => node.getConnections().length === 1)
    assert.equal(node.getConnections()[0]?.remotePeer.toString(), peerIdFromPrivateKey(identity).toString())
    for (const session of sessions) {
      const again = await agree(t, node)
      const resumed = connectTls({ socket: again, ...RULES, ...CERTIFICATE, session })
      resumed.on('error', () => {})
      await once(resumed, 'secureConnect')
      assert.equal(resumed.isSessionReused(), false)
    }
  })

  it(
    'takes the first message of the handshake together with the proposal, and byte by byte',
    LIMIT,
    async t => {
      const node = await start(t)
      for (const pieceBytes of [1, 7, 100_000]) {
        const far = connectTcp(portOf(node).port, '127.0.0.1')
        t.after(() => far.destroy())
        // the client writes into a socket of its own, whose bytes are passed on in pieces
        const server = createServer(near => {
          let isFirst = true
          near.on('error', () => {})
          near.on('data', (data: Buffer) => {
            const bytes = isFirst ? Buffer.concat([PROPOSAL, data]) : data
            isFirst = false
            for (let at = 0; at < bytes.byteLength; at += pieceBytes)
              far.write(bytes.subarray(at, at + pieceBytes))
          })
          let skip = PROPOSAL.byteLength
          far.on('data', (data: Buffer) => {
            const rest = data.subarray(Math.min(skip, data.byteLength))
            skip -= data.byteLength - rest.byteLength
            near.write(rest)
          })
        }).listen(0, '127.0.0.1')
        t.after(() => server.close())
        await once(server, 'listening')
        const client = connectTls({ port: (server.address() as AddressInfo).port, ...RULES, ...CERTIFICATE })
        t.after(() => client.destroy())
        await once(client, 'secureConnect')
        assert.equal(client.alpnProtocol, '/yamux/1.0.0')
        await until(() => node.getConnections().length === 1)
        client.destroy()
        far.destroy()
        await until(() => node.getConnections().length === 0)
      }
    },
  )
})
