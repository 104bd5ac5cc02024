/**
 * The encryption `/tls/1.0.0` of libp2p, run by Node on the TCP socket itself, so that handshake, records and system
 * calls stay in C++. Where there is no such socket, for example on a circuit or on a WebSocket, `@libp2p/tls` takes over.
 *
 * Specs: https://github.com/libp2p/specs/blob/master/tls/tls.md and, for the multiplexer in ALPN,
 * https://github.com/libp2p/specs/blob/master/connections/inlined-muxer-negotiation.md
 */

import { constants } from 'node:crypto'
import { Socket } from 'node:net'
import { connect, createSecureContext, TLSSocket } from 'node:tls'
import { InvalidCryptoExchangeError, serviceCapabilities } from '@libp2p/interface'
import { CertificateHolder } from './certificate.ts'
import { TlsHandshake } from './tls-handshake.ts'
import { lazily } from '../node/lazily.ts'
import { SOCKET_BUFFER_BYTES } from '../transport/socket-buffer.ts'
import type { SecureContext, TLSSocketOptions } from 'node:tls'
import type { Certificate } from './certificate.ts'
import type { SocketConnection, TlsConnection } from './tls-connection.ts'
import type {
  ComponentLogger,
  ConnectionEncrypter,
  MessageStream,
  PrivateKey,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
  Upgrader,
} from '@libp2p/interface'

/** What libp2p hands to the encrypter. */
export interface TlsComponents {
  privateKey: PrivateKey
  logger: ComponentLogger
  upgrader: Upgrader
}

/** Its id in multistream-select. */
export const TLS_PROTOCOL = '/tls/1.0.0'

/** What a side names in ALPN that negotiates the multiplexer later. */
const NO_EARLY_MUXER = 'libp2p'

/** AES-128-GCM first: it costs half of what ChaCha20-Poly1305 costs on processors with AES instructions. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

/**
 * X25519 first. OpenSSL's default adds a key of ML-KEM to the first message of each side, which then takes two packets
 * instead of one.
 */
const GROUPS = 'X25519:P-256:P-384'

/** Makes the encrypter: a drop-in for `tls()` of `@libp2p/tls` in any `createLibp2p` configuration. */
export function tls(): (components: TlsComponents) => ConnectionEncrypter {
  return components => new NativeTls(components)
}

/** True for an encrypter of {@link tls}. */
export function runsOnSockets(encrypter: ConnectionEncrypter | undefined): boolean {
  return encrypter instanceof NativeTls
}

class NativeTls implements ConnectionEncrypter {
  readonly protocol = TLS_PROTOCOL
  readonly [Symbol.toStringTag] = 'throughnat/tls'
  readonly [serviceCapabilities]: string[] = ['@libp2p/connection-encryption']

  readonly #components: TlsComponents
  readonly #contexts: CertificateHolder<SecureContext>
  /** It brings some 2 MB of packages along that few nodes need. */
  readonly #stock: () => Promise<StockTls>

  constructor(components: TlsComponents) {
    this.#components = components
    this.#contexts = new CertificateHolder(components.privateKey, createContext)
    this.#stock = lazily(async () => (await import('@libp2p/tls')).tls()(components) as StockTls)
  }

  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<Secured> {
    return this.#secure(connection, 'server', options)
  }

  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<Secured> {
    return this.#secure(connection, 'client', options)
  }

  async #secure(
    connection: MessageStream,
    role: 'client' | 'server',
    options: SecureConnectionOptions = {},
  ): Promise<Secured> {
    if (!hasSocket(connection)) {
      const stock = await this.#stock()
      return role === 'server'
        ? stock.secureInbound(connection, options)
        : stock.secureOutbound(connection, options)
    }
    const secureContext = await this.#contexts.current()
    options.signal?.throwIfAborted()
    const muxers =
      options.skipStreamMuxerNegotiation === true
        ? new Map<string, StreamMuxerFactory>()
        : this.#components.upgrader.getStreamMuxers()
    const create = role === 'server' ? createServer : createClient
    const handshake = new TlsHandshake(connection, socket => create(socket, secureContext, muxers))
    const { remotePeer, secured } = await handshake.run(options)
    return { remotePeer, connection: secured, ...earlyMuxer(secured, muxers) }
  }
}

/** What is used of the encrypter of `@libp2p/tls`, whose type says nothing of the connection. */
type StockTls = Record<
  'secureInbound' | 'secureOutbound',
  (connection: MessageStream, options?: SecureConnectionOptions) => Promise<Secured>
>
type Secured = SecuredConnection<MessageStream>
type Muxers = ReadonlyMap<string, StreamMuxerFactory>

/** True for a connection of `@libp2p/tcp`: its class is not exported. */
function hasSocket(connection: MessageStream): connection is SocketConnection {
  const { socket } = connection as Partial<SocketConnection>
  return socket instanceof Socket && !(socket instanceof TLSSocket) && !socket.destroyed
}

function createContext({ cert, key }: Certificate): SecureContext {
  return createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ecdhCurve: GROUPS,
    // a session that is resumed would not show a certificate
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
}

function commonOptions(secureContext: SecureContext): TLSSocketOptions {
  // a TLSSocket takes the options of a stream, too, which its type does not say
  const stream = { highWaterMark: SOCKET_BUFFER_BYTES }
  // certificates are signed by their own key; they are verified as libp2p has it
  return { ...stream, secureContext, rejectUnauthorized: false }
}

function createClient(socket: Socket, secureContext: SecureContext, muxers: Muxers): TLSSocket {
  return connect({
    ...commonOptions(secureContext),
    socket,
    ALPNProtocols: [...muxers.keys(), NO_EARLY_MUXER],
  })
}

function createServer(socket: Socket, secureContext: SecureContext, muxers: Muxers): TLSSocket {
  return new TLSSocket(socket, {
    ...commonOptions(secureContext),
    isServer: true,
    requestCert: true,
    ALPNCallback: ({ protocols }) =>
      protocols.find(it => muxers.has(it)) ?? protocols.find(it => it === NO_EARLY_MUXER),
  })
}

/** @throws {InvalidCryptoExchangeError} if the remote has chosen what was not offered */
function earlyMuxer({ socket }: TlsConnection, muxers: Muxers): { streamMuxer?: StreamMuxerFactory } {
  const { alpnProtocol } = socket
  if (typeof alpnProtocol !== 'string' || alpnProtocol === NO_EARLY_MUXER) return {}
  const streamMuxer = muxers.get(alpnProtocol)
  if (streamMuxer === undefined)
    throw new InvalidCryptoExchangeError(`The remote has chosen the multiplexer ${alpnProtocol}`)
  return { streamMuxer }
}
