/** A client that means no harm, in a process of its own: it asks again and again, and notes how long each answer takes. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createPeer } from '../../../peer/index.ts'
import { openService } from '../../../peer/tunnel/dialer/open-service.ts'
import { decodeTicket } from '../../../peer/tickets/ticket.ts'
import { HOP, readAnswer, RESERVE } from '../../../test/network/hop-client.ts'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { Peer } from '../../../peer/index.ts'
import { serve } from '../serve.ts'

/** Longest wait for one answer, in milliseconds. */
const PATIENCE_MS = 10_000

/** Pause between two answers, in milliseconds: less than a relay with the public profile allows one address. */
const PAUSE_MS = 100

/** Innocents come from an address of their own. */
const SOURCE = '127.0.0.3'

/** What is asked. */
export interface Question {
  /**
   * `handshake`: the first answer on a TCP connection; `web-socket`: the same after HTTP; `http`: /healthz; `reserve`: a reservation of the named
   * peer; `service`, `ticket`: a service of a peer, over a new connection; `data`: an echo over the last one, without pauses.
   */
  kind: 'handshake' | 'web-socket' | 'http' | 'reserve' | 'service' | 'ticket' | 'data'
  port: number
  relay?: string
  /** A circuit address, or a ticket. */
  target?: string
}

/** How it was answered. */
export interface Answers {
  /** How long each took, in milliseconds. */
  times: number[]
  failed: number
  /** How long it was asked. */
  seconds: number
}

const privateKey = await generateKeyPair('Ed25519')
const asks: Record<Question['kind'], (question: Question) => Promise<void>> = {
  handshake: async ({ port }) => exchange(port, '\x13/multistream/1.0.0\n', /multistream/),
  'web-socket': async ({ port }) =>
    exchange(
      port,
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      / 101 /,
    ),
  http: async ({ port }) =>
    exchange(port, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n', / 200 /),
  reserve,
  service: async question => useService(question),
  ticket: async question => useService(question, question.target),
  data: transfer,
}

/** Bytes of one echo: as much as the tunnel has under way. */
const ECHO_BYTES = 64 * 1024
const DATA = Buffer.alloc(ECHO_BYTES, 1)

/** The open service over which data goes. */
let service: Service | undefined

let answers:
  | { startedAt: number; times: number[]; failed: number; isDone: boolean; done: Promise<void> }
  | undefined

serve({
  identify: () => peerIdFromPrivateKey(privateKey).toString(),
  start: (question: Question) => {
    const current = {
      startedAt: performance.now(),
      times: [] as number[],
      failed: 0,
      isDone: false,
      done: Promise.resolve(),
    }
    current.done = askAgain(question, current)
    answers = current
  },
  stop: async (): Promise<Answers> => {
    const current = answers!
    current.isDone = true
    await current.done
    const { times, failed, startedAt } = current
    return { times, failed, seconds: (performance.now() - startedAt) / 1000 }
  },
})

async function askAgain(question: Question, current: NonNullable<typeof answers>): Promise<void> {
  do {
    const askedAt = performance.now()
    try {
      await asks[question.kind](question)
    } catch {
      current.failed++
    }
    current.times.push(performance.now() - askedAt)
    if (question.kind !== 'data') await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  } while (!current.isDone)
}

async function exchange(port: number, request: string, expected: RegExp): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: SOURCE })
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    await once(socket, 'connect', { signal })
    socket.write(request)
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer]
    if (!expected.test(answer.toString('latin1'))) throw new Error('another answer')
  } finally {
    socket.destroy()
  }
}

async function reserve({ relay = '' }: Question): Promise<void> {
  await using node = await plainNode()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const connection = await node.dial(multiaddr(relay), { signal })
  const stream = await connection.newStream(HOP, { signal })
  stream.send(RESERVE)
  const { status } = await readAnswer(stream, PATIENCE_MS)
  if (status !== 100) throw new Error(`status ${status}`)
}

async function plainNode(): Promise<Awaited<ReturnType<typeof createLibp2p>> & AsyncDisposable> {
  const node = await createLibp2p({
    privateKey,
    transports: [tcp({ dialOpts: { localAddress: SOURCE } as object })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  return Object.assign(node, { [Symbol.asyncDispose]: async () => node.stop() })
}

/** Waits for an echo. The connection is a new one after a failure. */
async function transfer(question: Question): Promise<void> {
  service ??= await openServiceOf(question)
  const { peer, stream } = service
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const echoed = new Promise<void>((resolve, reject) => {
      let bytes = 0
      const onMessage = ({ data }: StreamMessageEvent): void => {
        bytes += data.byteLength
        if (bytes < ECHO_BYTES) return
        stream.removeEventListener('message', onMessage)
        resolve()
      }
      stream.addEventListener('message', onMessage)
      stream.addEventListener('close', () => reject(new Error('the stream has ended')), {
        once: true,
        signal,
      })
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    stream.resume()
    stream.send(DATA)
    await echoed
  } catch (error) {
    service = undefined
    stream.abort(error as Error)
    await peer.stop()
    throw error
  }
}

async function useService(question: Question, ticket?: string): Promise<void> {
  const { peer, stream } = await openServiceOf(question, ticket)
  stream.abort(new Error('done'))
  await peer.stop()
}

interface Service {
  peer: Peer
  stream: Stream
}

/** A new connection and a stream to the service. A ticket's holder has an id that nobody knows. */
async function openServiceOf({ target = '', relay = '' }: Question, ticket?: string): Promise<Service> {
  const peer = await createPeer({
    relays: [relay],
    reserve: false,
    portMapping: false,
    ...(ticket === undefined ? { privateKey } : {}),
  })
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const connection = await peer.connect(target, { signal })
    const credentials = ticket === undefined ? {} : { credentials: { ticket: decodeTicket(ticket).secret } }
    const stream = await openService(
      async (protocols, options) => connection.newStream(protocols as never, options as never),
      'web',
      { signal, ...credentials },
    )
    return { peer, stream }
  } catch (error) {
    await peer.stop()
    throw error
  }
}
