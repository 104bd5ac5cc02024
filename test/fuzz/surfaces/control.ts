/** The control socket: requests as any program of the same user may send them. No answer may call itself a bug. */

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { serveControl } from '../../../peer/control/server.ts'
import { socketPathOf } from '../../../peer/control/socket.ts'
import { ticketRoutes } from '../../../peer/tickets/routes.ts'
import { LocalOffice } from '../../../peer/tickets/ticket-issuer.ts'
import { inTime } from '../../waits.ts'
import { PEER } from './hop-messages.ts'
import { mutatedText, textInputs } from '../texts.ts'
import { textInput } from '../surface.ts'
import type { TicketBook } from '../../../peer/tickets/ticket-book.ts'
import type { Entry, Input, Surface } from '../surface.ts'

/** What Node.js sends before the answer, to a request with `Expect: 100-continue` (RFC 9110, 10.1.1). */
const CONTINUE = 100

/** 200 and 404 by the routes, 400 for what is wrong, 408, 413, 417, 431 by Node.js. */
const STATUSES = [200, 400, 404, 408, 413, 417, 431]

const RELAY = `/ip4/192.0.2.1/tcp/4001/p2p/${PEER}`
const BODIES = [
  { service: 'web', relays: [RELAY] },
  { service: 'web', validMs: 60_000, uses: 1, relays: [RELAY, '/dnsaddr/relay.example.org'] },
  { id: '0123456789abcdef' },
].map(it => JSON.stringify(it))

function http(route: string, body: string, headers = ''): string {
  return `${route} HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
}

const ROUTES = [
  'GET /status',
  'GET /tickets',
  'POST /tickets',
  'POST /tickets/revoke',
  'GET /__proto__',
  'PUT /tickets',
  'DELETE /',
  'OPTIONS *',
]
const WORDS = [
  RELAY,
  '/p2p/',
  'bafk',
  'k51',
  '%',
  '/unix/%',
  '/ip4/',
  '[',
  ']',
  '{',
  '}',
  ':',
  ',',
  'null',
  '1e309',
  '9007199254740993',
  '"__proto__":',
  '"relays":',
  '"toString":',
  '\\ud800',
  '\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  'Content-Length: 5\r\n',
]

/** A relay's address as a program may write it: nearly right, or no text at all. */
const relays = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: mutatedText(
        [
          RELAY,
          `${RELAY}/p2p-circuit`,
          '/unix/a',
          '/ip6zone/a/ip6/::1/tcp/1',
          '/ip4/1.2.3.4/udp/1/quic-v1/certhash/uEiAk',
          '/onion3/x:1',
          '/http-path/a%20',
        ],
        WORDS,
      ),
    },
    { weight: 1, arbitrary: fc.jsonValue() },
  ),
  { maxLength: 4 },
)
const value = fc.oneof(
  fc.constantFrom('web', '', null, 0, 1, -1, 2 ** 31, 2 ** 53, '0123456789abcdef', {}, []),
  fc.jsonValue(),
)
const objects = fc
  .record(
    {
      service: value,
      validMs: value,
      uses: value,
      id: value,
      relays: fc.oneof({ weight: 4, arbitrary: relays }, { weight: 1, arbitrary: fc.jsonValue() }),
    },
    { requiredKeys: ['relays'] },
  )
  .map(it => JSON.stringify({ service: 'web', ...it }))

const bodies = fc.oneof(
  { weight: 3, arbitrary: objects },
  { weight: 1, arbitrary: mutatedText(BODIES, WORDS) },
)
const requests = fc
  .tuple(fc.constantFrom(...ROUTES, 'POST /tickets', 'POST /tickets'), bodies)
  .map(([route, body]) => http(route, body))
const wholes = mutatedText([http('POST /tickets', BODIES[0] ?? ''), http('GET /status', '')], WORDS)

const http11: Entry = {
  name: 'http',
  inputs: fc.oneof(
    { weight: 5, arbitrary: textInputs(requests) },
    { weight: 1, arbitrary: textInputs(wholes) },
  ),
  valid: [textInput(http('GET /tickets', '')), textInput(http('POST /tickets', BODIES[0] ?? ''))],
  start: async stage => {
    const dataDir = await mkdtemp(join(tmpdir(), 'throughnat-fuzz-'))
    stage.after(() => rm(dataDir, { recursive: true, force: true }))
    const office = new LocalOffice({ book: emptyBook(), peerId: PEER, addrs: async () => [] })
    const server = await serveControl(dataDir, { 'GET /status': () => ({}), ...ticketRoutes(office) })
    stage.after(() => server[Symbol.asyncDispose]())
    return async input => {
      for (const status of await ask(socketPathOf(dataDir), input))
        if (status !== CONTINUE && !STATUSES.includes(status)) throw new Error(`The answer is ${status}`)
    }
  },
}

/** Sends the pieces, ends, and resolves with the statuses of all answers. */
async function ask(path: string, input: Input): Promise<number[]> {
  const socket = connect({ path, allowHalfOpen: true })
  let answer = ''
  socket.on('error', () => {}) // the server ends what is not HTTP
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  // not by `once`, which would make an error of a reset
  const closed = new Promise(resolve => socket.once('close', resolve))
  await once(socket, 'connect')
  for (const piece of input) socket.write(piece)
  socket.end()
  await inTime(closed, 'the server closes the connection')
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
}

/** Makes tickets that nobody stores. */
function emptyBook(): TicketBook {
  const ticket = { id: '0123456789abcdef', service: 'web', expiresAt: null, createdAt: 0, uses: null }
  const secret = Buffer.alloc(24, 1).toString('base64url')
  return {
    tickets: [],
    load: async () => {},
    issue: async () => ({ ticket, secret }),
    revoke: async () => false,
  } as unknown as TicketBook
}

export const control: Surface = { name: 'control', entries: [http11] }
