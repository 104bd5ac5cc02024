/** What the listening side answers, byte for byte, without any network. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { delegate } from '../../../../../peer/tunnel/wire/delegation.ts'
import { encodeRequest } from '../../../../../peer/tunnel/wire/protocol.ts'
import { createServices } from '../../../../../peer/tunnel/listener/services.ts'
import { decodeResponse } from '../../../../../peer/tunnel/wire/protocol.ts'
import { readMessage } from '../../../../../peer/tunnel/wire/message.ts'
import { FRUITLESS_REQUESTS } from '../../../../../peer/tunnel/listener/service-limits.ts'
import { connection, remotePeer, session, silentService } from './caller.ts'
import { once } from '../../../../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { OpenRequest } from '../../../../../peer/tunnel/wire/protocol.ts'
import type { Services } from '../../../../../peer/tunnel/listener/services.ts'
import type { TicketVerifier } from '../../../../../peer/tunnel/listener/ticket-verifier.ts'

test('a service that is closed to the peer is answered like one that does not exist', async () => {
  const services = createServices({
    services: new Map([['ssh', { host: '127.0.0.1', port: 22 }]]),
    allow: new Map(),
  })
  const answers: string[] = []
  for (const service of ['ssh', 'missing', '']) {
    const [outbound, inbound] = await streamPair()
    const handled = services.handle(inbound, connection)
    const answered = once(outbound, 'message')
    outbound.send(encodeRequest({ service, session }))
    answers.push(Buffer.from((await answered)[0].data.subarray()).toString())
    await outbound.close()
    await handled
  }
  assert.deepEqual(new Set(answers), new Set(['\x14{"status":"refused"}']))
})

test('a name that is not fit for a log is made so', async () => {
  const services = createServices({ services: new Map(), allow: new Map() })
  const refused = once(services, 'service:refused')
  const [outbound, inbound] = await streamPair()
  const handled = services.handle(inbound, connection)
  outbound.send(encodeRequest({ session, service: `a\n\u001b[31m\u202e${'x'.repeat(500)}` }))
  const { detail } = (await refused)[0]
  assert.deepEqual(detail, {
    peerId: remotePeer.toString(),
    service: `a??[31m?${'x'.repeat(55)}`,
    reason: 'unknown',
  })
  outbound.abort(new Error('done'))
  await handled
})

test('a stream that comes after the stop is reset', async () => {
  const services = createServices({ services: new Map(), allow: new Map() })
  await services.stop()
  const [outbound, inbound] = await streamPair()
  const reset = once(outbound, 'close')
  await services.handle(inbound, connection)
  assert.equal((await reset)[0].error.name, 'StreamResetError')
})

for (const [who, allow, isEnded] of [
  ['a stranger', new Map<string, Set<string>>(), true],
  ['a peer that a rule names', new Map([['other', new Set([remotePeer.toString()])]]), false],
] as const)
  test(`${who} whose requests lead to nothing ${isEnded ? 'loses' : 'keeps'} its connection`, async () => {
    const services = createServices({ services: new Map([['other', { host: '127.0.0.1', port: 9 }]]), allow })
    let ends = 0
    const bearer = { ...connection, abort: () => void ends++ }
    for (let n = 0; n < FRUITLESS_REQUESTS.capacity + 32; n++) {
      const [outbound, inbound] = await streamPair()
      const handled = services.handle(inbound, bearer)
      outbound.abort(new Error('nothing to ask'))
      await handled
      if (n < FRUITLESS_REQUESTS.capacity) assert.equal(ends, 0)
    }
    assert.equal(ends > 0, isEnded)
  })

test('a stop cuts a peer that has not asked yet', async () => {
  const services = createServices({ services: new Map(), allow: new Map() })
  const [, inbound] = await streamPair()
  const handled = services.handle(inbound, connection)
  await services.stop()
  await handled
  assert.equal(inbound.status, 'aborted')
})

test('streams beyond as many as a peer may have connections are not even read', async () => {
  const services = createServices({
    services: new Map(),
    allow: new Map(),
    limits: { connectionsPerPeer: 2 },
  })
  const refused = once(services, 'service:refused')
  const pairs = await Promise.all(Array.from({ length: 3 }, () => streamPair()))
  const handled = pairs.map(([, inbound]) => services.handle(inbound, connection))
  assert.equal((await refused)[0].detail.reason, 'busy')
  assert.deepEqual(
    pairs.map(([, inbound]) => inbound.status),
    ['open', 'open', 'aborted'],
  )
  await services.stop()
  await Promise.all(handled)
})

async function ask(
  services: Services,
  request: Omit<OpenRequest, 'session'>,
): Promise<{ status: string; stream: Stream; handled: Promise<void> }> {
  const [outbound, inbound] = await streamPair()
  const handled = services.handle(inbound, connection)
  const id = Math.random().toString(36).slice(2).padEnd(22, 'x').slice(0, 22)
  outbound.send(encodeRequest({ session: id, ...request }))
  const { status } = decodeResponse(await readMessage(outbound))
  outbound.resume()
  return { status, stream: outbound, handled }
}

test('rules that are replaced cut the connections that they would not let in, and no others', async t => {
  const address = await silentService(t)
  const both = new Map([
    ['ssh', address],
    ['web', address],
  ])
  const services = createServices({
    services: both,
    allow: new Map<string, 'anyone' | Set<string>>([
      ['ssh', new Set([remotePeer.toString()])],
      ['web', 'anyone'],
    ]),
  })
  const ssh = await ask(services, { service: 'ssh' })
  const web = await ask(services, { service: 'web' })
  const cut = once(services, 'service:closed')
  services.replace({ services: both, allow: new Map([['web', 'anyone' as const]]) })
  const { detail } = (await cut)[0]
  assert.equal(detail.service, 'ssh')
  assert.equal(detail.error.message, 'This peer may no longer use the service')
  await ssh.handled
  assert.equal(web.stream.status, 'open')
  assert.equal((await ask(services, { service: 'ssh' })).status, 'refused')
  await services.stop()
})

test('rules that are wrong change nothing', async t => {
  const address = await silentService(t)
  const services = createServices({
    services: new Map([['ssh', address]]),
    allow: new Map([['ssh', 'anyone' as const]]),
  })
  assert.throws(
    () => services.replace({ services: new Map(), allow: new Map([['ssh', 'anyone' as const]]) }),
    {
      name: 'InvalidConfigError',
    },
  )
  assert.equal((await ask(services, { service: 'ssh' })).status, 'ok')
  await services.stop()
})

test('a ticket lets in whom no rule does, until it is revoked', async t => {
  const revoked = new Set<string>()
  const tickets: TicketVerifier = {
    look: secret => (secret === 'right' ? { id: 'one' } : 'ticket-expired'),
    count: async () => undefined,
    isRevoked: id => revoked.has(id),
  }
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map(),
    tickets,
  })
  const opened = once(services, 'service:opened')
  const { status, handled } = await ask(services, { service: 'ssh', ticket: 'right' })
  assert.equal(status, 'ok')
  assert.equal((await opened)[0].detail.ticket, 'one')
  services.reconsider()
  const cut = once(services, 'service:closed')
  revoked.add('one')
  services.reconsider()
  assert.equal((await cut)[0].detail.error.message, 'This peer may no longer use the service')
  await handled
  await services.stop()
})

test('a ticket that does not let in is answered like no ticket at all, and like no service', async () => {
  const tickets: TicketVerifier = {
    look: (secret, service) =>
      secret === 'right' && service === 'missing' ? { id: 'one' } : 'ticket-used-up',
    count: async () => assert.fail('it was counted'),
    isRevoked: () => false,
  }
  const services = createServices({
    services: new Map([['ssh', { host: '127.0.0.1', port: 22 }]]),
    allow: new Map(),
    tickets,
  })
  const reasons: string[] = []
  services.addEventListener('service:refused', ({ detail }) => reasons.push(detail.reason))
  for (const request of [
    { service: 'ssh', ticket: 'wrong' },
    { service: 'ssh' },
    { service: 'missing', ticket: 'right' },
  ]) {
    const { status, stream } = await ask(services, request)
    assert.equal(status, 'refused')
    await stream.close()
  }
  assert.deepEqual(reasons, ['ticket-used-up', 'not-allowed', 'unknown'])
  await services.stop()
})

test('who acts for another peer is let in as that one, if that is proved to this listener', async t => {
  const [own, friend] = await Promise.all([0, 1].map(() => generateKeyPair('Ed25519')))
  assert.ok(own !== undefined && friend !== undefined)
  const peerId = peerIdFromPrivateKey(own)
  const principal = peerIdFromPrivateKey(friend).toString()
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map([['ssh', new Set([principal])]]),
    peerId,
  })
  const delegation = await delegate(friend, { delegate: remotePeer, listener: peerId })
  const stolen = await delegate(friend, { delegate: peerId, listener: peerId })
  assert.equal((await ask(services, { service: 'ssh' })).status, 'refused')
  assert.equal((await ask(services, { service: 'ssh', delegation: stolen })).status, 'refused')
  const opened = once(services, 'service:opened')
  assert.equal((await ask(services, { service: 'ssh', delegation })).status, 'ok')
  assert.equal((await opened)[0].detail.principal, principal)
  services.reconsider()
  const cut = once(services, 'service:closed')
  services.replace({ services: new Map([['ssh', await silentService(t)]]), allow: new Map() })
  await cut
  await services.stop()
})

test('a ticket is counted for the peer that is acted for, and guesses for the one that is connected', async () => {
  const [own, friend] = await Promise.all([0, 1].map(() => generateKeyPair('Ed25519')))
  assert.ok(own !== undefined && friend !== undefined)
  const peerId = peerIdFromPrivateKey(own)
  const shown: string[][] = []
  const services = createServices({
    services: new Map([['ssh', { host: '127.0.0.1', port: 22 }]]),
    allow: new Map(),
    peerId,
    tickets: {
      look: (...args) => {
        shown.push(args)
        return 'ticket-unknown'
      },
      count: async () => undefined,
      isRevoked: () => false,
    },
  })
  const delegation = await delegate(friend, { delegate: remotePeer, listener: peerId })
  const { status, stream } = await ask(services, { service: 'ssh', ticket: 'guess', delegation })
  assert.equal(status, 'refused')
  assert.deepEqual(shown, [['guess', 'ssh', peerIdFromPrivateKey(friend).toString(), remotePeer.toString()]])
  await stream.close()
  await services.stop()
})

test('a service that is down costs the bearer of a ticket no use', async () => {
  const counted: string[] = []
  const services = createServices({
    services: new Map([['ssh', { host: '127.0.0.1', port: 1 }]]),
    allow: new Map(),
    tickets: {
      look: () => ({ id: 'one' }),
      count: async id => void counted.push(id),
      isRevoked: () => false,
    },
  })
  assert.equal((await ask(services, { service: 'ssh', ticket: 'right' })).status, 'unavailable')
  assert.deepEqual(counted, [])
  await services.stop()
})

test('a ticket whose use the disk does not take in time lets nobody in', { timeout: 10_000 }, async t => {
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map(),
    tickets: {
      look: () => ({ id: 'one' }),
      count: async () => new Promise(() => {}),
      isRevoked: () => false,
    },
    limits: { connectMs: 100 },
  })
  const refused = once(services, 'service:refused')
  assert.equal((await ask(services, { service: 'ssh', ticket: 'right' })).status, 'unavailable')
  assert.equal((await refused)[0].detail.reason, 'down')
  await services.stop()
})

test('a ticket that was used up while the service accepted is refused', async t => {
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map(),
    tickets: { look: () => ({ id: 'one' }), count: async () => 'ticket-used-up', isRevoked: () => false },
  })
  const refused = once(services, 'service:refused')
  assert.equal((await ask(services, { service: 'ssh', ticket: 'right' })).status, 'refused')
  assert.equal((await refused)[0].detail.reason, 'ticket-used-up')
  await services.stop()
})

test('strangers that say nothing leave those that a rule names, and those that are in, their places', async t => {
  const [named, guest, ...strangers] = await Promise.all(
    [0, 1, 2, 3].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
  )
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map([['ssh', new Set([String(named)])]]),
    tickets: { look: () => ({ id: 'one' }), count: async () => undefined, isRevoked: () => false },
    limits: { connections: 2 },
  })
  const statusFor = async (remotePeer = named, ticket?: string): Promise<string> => {
    const [outbound, inbound] = await streamPair()
    void services.handle(inbound, { ...connection, remotePeer: remotePeer! })
    const id = randomBytes(16).toString('base64url')
    outbound.send(encodeRequest({ service: 'ssh', session: id, ...(ticket === undefined ? {} : { ticket }) }))
    return decodeResponse(await readMessage(outbound)).status
  }
  assert.equal(await statusFor(guest, 'right'), 'ok')
  for (const remotePeer of strangers) {
    const [, inbound] = await streamPair()
    void services.handle(inbound, { ...connection, remotePeer })
  }
  const busy = once(services, 'service:refused')
  await assert.rejects(statusFor(strangers[0]))
  assert.equal((await busy)[0].detail.reason, 'busy')
  assert.equal(await statusFor(named), 'ok')
  assert.equal(await statusFor(guest), 'refused')
  // nor do those that came in by other ways take all the connections
  assert.equal(await statusFor(guest, 'right'), 'ok')
  assert.equal(await statusFor(guest, 'right'), 'busy')
  assert.equal(await statusFor(named), 'ok')
  await services.stop()
})
