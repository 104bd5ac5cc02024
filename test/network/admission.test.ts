/** Who may use a relay: by lists, a token, or a program that is asked. */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createPeer } from '../../peer/index.ts'
import { ConfiguredAdmission } from '../../relay/admission/configured-admission.ts'
import { ruleKind } from '../../relay/admission/rule.ts'
import { startRelay } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Peer, PeerInit } from '../../peer/index.ts'
import type { AdmissionRules, RuleLists } from '../../relay/admission/configured-admission.ts'
import type { Relay, RelayEvents } from '../../relay/index.ts'

const LIMIT = { timeout: 40_000 }
const TOKEN = 'one that only friends know'

const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

function lists({ allow = [], deny = [] }: { allow?: unknown[]; deny?: unknown[] }): RuleLists {
  const read = (rules: unknown[]): RuleLists['allow'] =>
    rules.map(rule => ruleKind.parse(String(rule), { directory: '/', home: '/' }))
  return { allow: read(allow), deny: read(deny) }
}

const OPEN: AdmissionRules = {
  reserve: lists({}),
  connect: lists({}),
  target: lists({}),
  tokens: [],
  tokenFor: 'all',
  callOutUrl: undefined,
}

async function startGuarded(
  t: TestContext,
  rules: Partial<AdmissionRules>,
): Promise<{ relay: Relay; admission: ConfiguredAdmission }> {
  const admission = new ConfiguredAdmission({ ...OPEN, ...rules })
  return { relay: await startRelay(t, { admission }), admission }
}

async function startPeer(t: TestContext, relay: Relay, init: PeerInit = {}): Promise<Peer> {
  const peer = await createPeer({ relays: [...relay.addrs], ...init })
  t.after(() => peer.stop())
  return peer
}

/** Starts a peer that is reachable. */
async function startListener(t: TestContext, relay: Relay, init: PeerInit = {}): Promise<Peer> {
  const peer = await startPeer(t, relay, init)
  await peer.reachable(within(10_000))
  return peer
}

/** Starts a peer whose reservation is refused; resolves with what it and the relay say of that. */
async function refusal(
  t: TestContext,
  relay: Relay,
  init: PeerInit = {},
): Promise<{ reason: string; rule: string | undefined }> {
  const refused = next(relay, 'reservation:refused')
  const peer = await startPeer(t, relay, init)
  const [event] = (await once(peer as never, 'reservation:failed', within(10_000))) as [
    CustomEvent<{ reason: string }>,
  ]
  const { reason, rule } = await refused
  assert.equal(reason, 'denied')
  return { reason: event.detail.reason, rule }
}

async function next<Name extends keyof RelayEvents>(
  relay: Relay,
  name: Name,
): Promise<RelayEvents[Name]['detail']> {
  const [event] = (await once(relay as never, name, within(10_000))) as [RelayEvents[Name]]
  return event.detail
}

async function newIdentity(): Promise<{ privateKey: PrivateKey; id: string }> {
  const privateKey = await generateKeyPair('Ed25519')
  return { privateKey, id: String(peerIdFromPrivateKey(privateKey)) }
}

describe('lists', { concurrency: 4 }, () => {
  it('let only those reserve whom they allow, and say which list it was', LIMIT, async t => {
    const { privateKey, id } = await newIdentity()
    const { relay } = await startGuarded(t, { reserve: lists({ allow: [id] }) })
    await startListener(t, relay, { privateKey })
    const { reason, rule } = await refusal(t, relay)
    assert.match(reason, /does not admit this peer \(PERMISSION_DENIED\)/)
    assert.equal(rule, 'allow-reserve does not list the peer')
  })

  it('keep out those whom they deny, even if they are allowed, and say which rule it was', LIMIT, async t => {
    const { privateKey, id } = await newIdentity()
    const { relay } = await startGuarded(t, { reserve: lists({ allow: [id], deny: ['127.0.0.0/8'] }) })
    assert.equal((await refusal(t, relay, { privateKey })).rule, 'deny-reserve 127.0.0.0/8')
  })

  it('tell who may connect apart from who may reserve', LIMIT, async t => {
    const { privateKey, id } = await newIdentity()
    const { relay } = await startGuarded(t, { connect: lists({ deny: [id] }) })
    const listener = await startListener(t, relay)
    const denied = await startListener(t, relay, { privateKey })
    const refused = next(relay, 'circuit:refused')
    await assert.rejects(denied.connect(listener.peerId, within(10_000)), {
      name: 'UnreachableError',
      message: /does not admit this peer \(PERMISSION_DENIED\)/,
    })
    const { reason, rule, responder } = await refused
    assert.deepEqual(
      [reason, rule, String(responder)],
      ['denied', `deny-connect ${id}`, String(listener.peerId)],
    )
    // the other way is another question
    await listener.connect(denied.peerId, within(10_000))
  })

  it('tell to whom circuits may lead', LIMIT, async t => {
    const { privateKey, id } = await newIdentity()
    const { relay } = await startGuarded(t, { target: lists({ allow: [id] }) })
    const [open, closed] = [await startListener(t, relay, { privateKey }), await startListener(t, relay)]
    const dialer = await startPeer(t, relay, { reserve: false })
    await dialer.connect(open.peerId, within(10_000))
    const refused = next(relay, 'circuit:refused')
    await assert.rejects(dialer.connect(closed.peerId, within(10_000)), { name: 'UnreachableError' })
    assert.equal((await refused).rule, 'allow-target does not list the target')
  })

  it('that are replaced hold for what comes, and leave circuits alone', LIMIT, async t => {
    const { relay, admission } = await startGuarded(t, {})
    const listener = await startListener(t, relay)
    const dialer = await startPeer(t, relay, { reserve: false })
    const connection = await dialer.connect(listener.peerId, within(10_000))
    admission.replace({ ...OPEN, reserve: lists({ deny: ['0.0.0.0/0'] }) })
    assert.equal((await refusal(t, relay)).rule, 'deny-reserve 0.0.0.0/0')
    assert.ok((await connection.ping(within(10_000))).rttMs > 0)
  })
})

describe('a token', { concurrency: 4 }, () => {
  it('lets those in who show it, to reserve and to connect', LIMIT, async t => {
    const { relay } = await startGuarded(t, { tokens: ['another', TOKEN] })
    const listener = await startListener(t, relay, { relayToken: TOKEN })
    const dialer = await startPeer(t, relay, { relayToken: TOKEN, reserve: false })
    const connection = await dialer.connect(listener.peerId, within(10_000))
    assert.ok((await connection.ping(within(10_000))).rttMs > 0)
  })

  it('is needed by those who are on no list', LIMIT, async t => {
    const { privateKey, id } = await newIdentity()
    const { relay } = await startGuarded(t, { tokens: [TOKEN], reserve: lists({ allow: [id] }) })
    await startListener(t, relay, { privateKey })
    assert.equal((await refusal(t, relay)).rule, 'no token was shown')
  })

  it('may be needed to reserve alone', LIMIT, async t => {
    const { relay } = await startGuarded(t, { tokens: [TOKEN], tokenFor: 'reserve' })
    const listener = await startListener(t, relay, { relayToken: TOKEN })
    const dialer = await startPeer(t, relay, { reserve: false })
    await dialer.connect(listener.peerId, within(10_000))
  })

  it('that the relay does not know fails with that as the reason', LIMIT, async t => {
    const { relay } = await startGuarded(t, { tokens: [TOKEN] })
    const peer = await startPeer(t, relay, { relayToken: 'a guess' })
    const [event] = (await once(peer as never, 'reservation:failed', within(10_000))) as [
      CustomEvent<{ reason: string }>,
    ]
    assert.match(event.detail.reason, /does not accept the token/)
    const listener = await startListener(t, relay, { relayToken: TOKEN })
    const dialer = await startPeer(t, relay, { relayToken: 'a guess', reserve: false })
    await assert.rejects(dialer.connect(listener.peerId, within(10_000)), {
      name: 'UnreachableError',
      message: /does not accept the token/,
    })
  })

  it('that is withdrawn lets nobody in any more who showed it', LIMIT, async t => {
    const { relay, admission } = await startGuarded(t, { tokens: [TOKEN] })
    const listener = await startListener(t, relay, { relayToken: TOKEN })
    const dialer = await startListener(t, relay, { relayToken: TOKEN })
    admission.replace({ ...OPEN, tokens: ['the new one'] })
    await assert.rejects(dialer.connect(listener.peerId, within(10_000)), /PERMISSION_DENIED/)
  })

  it('is welcome at a relay that asks for none, whether it could or not', LIMIT, async t => {
    await startListener(t, await startRelay(t), { relayToken: TOKEN })
    const { relay } = await startGuarded(t, {})
    await startListener(t, relay, { relayToken: TOKEN })
  })

  it('is not shown to a relay that only a target names', LIMIT, async t => {
    const ours = await startRelay(t)
    const { relay: theirs } = await startGuarded(t, { tokens: [TOKEN], tokenFor: 'connect' })
    const listener = await startListener(t, theirs)
    const dialer = await startPeer(t, ours, { relayToken: TOKEN, reserve: false })
    const target = `${theirs.addrs[0]}/p2p-circuit/p2p/${listener.peerId}`
    const refused = next(theirs, 'circuit:refused')
    await assert.rejects(dialer.connect(target, within(10_000)), { name: 'UnreachableError' })
    assert.equal((await refused).rule, 'no token was shown')
  })
})

describe('a program that is asked', { concurrency: 4 }, () => {
  type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

  async function serve(t: TestContext, answer: Answer): Promise<string> {
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => answer(request, response, body))
    })
    t.after(() => {
      server.close()
      server.closeAllConnections()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ask`
  }

  it('is told the question, and its word counts', LIMIT, async t => {
    const asked: Array<Record<string, string>> = []
    const callOutUrl = await serve(t, ({ method, url }, response, body) => {
      assert.deepEqual([method, url], ['POST', '/ask'])
      asked.push(JSON.parse(body) as Record<string, string>)
      const allow = asked.length === 1
      response.end(JSON.stringify({ allow, reason: 'closed on Mondays' }))
    })
    const { relay } = await startGuarded(t, { callOutUrl })
    const listener = await startListener(t, relay)
    const dialer = await startPeer(t, relay, { reserve: false })
    const refused = next(relay, 'circuit:refused')
    await assert.rejects(dialer.connect(listener.peerId, within(10_000)), /PERMISSION_DENIED/)
    assert.equal((await refused).rule, 'the admission program: closed on Mondays')
    assert.deepEqual(
      asked.map(({ question, peerId, target }) => ({ question, peerId, target })),
      [
        { question: 'reserve', peerId: String(listener.peerId), target: undefined },
        { question: 'connect', peerId: String(dialer.peerId), target: String(listener.peerId) },
      ],
    )
    assert.match(asked[0]?.['remoteAddr'] ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+/)
  })

  const failures: ReadonlyArray<[string, Answer, RegExp]> = [
    ['says no without a reason', (_, response) => response.end('{"allow":false}'), /: no reason$/],
    ['answers with an error', (_, response) => response.writeHead(500).end(), /status 500$/],
    ['answers with no JSON', (_, response) => response.end('yes'), /failed: .*JSON/],
    ['answers with neither yes nor no', (_, response) => response.end('{"allow":"yes"}'), /no "allow"/],
    [
      'answers at length',
      (_, response) => response.end(Buffer.alloc(100_000, ' ')),
      /longer than 4096 bytes/,
    ],
    ['redirects', (_, response) => response.writeHead(302, { location: '/' }).end(), /failed: /],
    ['hangs up', request => request.socket.destroy(), /failed: /],
    ['says nothing', () => {}, /no answer within 3 s/],
  ]
  for (const [what, answer, rule] of failures)
    it(`and ${what} has denied`, LIMIT, async t => {
      const { relay } = await startGuarded(t, { callOutUrl: await serve(t, answer) })
      assert.match((await refusal(t, relay)).rule ?? '', rule)
    })

  it('and is not there has denied', LIMIT, async t => {
    const { relay } = await startGuarded(t, { callOutUrl: 'http://127.0.0.1:1/' })
    assert.match((await refusal(t, relay)).rule ?? '', /failed: ECONNREFUSED|failed: /)
  })
})
