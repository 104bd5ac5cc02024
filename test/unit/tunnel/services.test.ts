/** What the listening side answers, byte for byte, without any network. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { encodeRequest } from '../../../peer/tunnel/protocol.ts'
import { createServices } from '../../../peer/tunnel/services.ts'

const remotePeer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const connection = { remotePeer, direct: true }
const session = 'x'.repeat(22)

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

test('a stop cuts a peer that has not asked yet', async () => {
  const services = createServices({ services: new Map(), allow: new Map() })
  const [, inbound] = await streamPair()
  const handled = services.handle(inbound, connection)
  await services.stop()
  await handled
  assert.equal(inbound.status, 'aborted')
})

test('streams beyond half as many again as a peer may have connections are not even read', async () => {
  const services = createServices({
    services: new Map(),
    allow: new Map(),
    limits: { connectionsPerPeer: 2 },
  })
  const refused = once(services, 'service:refused')
  const pairs = await Promise.all(Array.from({ length: 4 }, () => streamPair()))
  const handled = pairs.map(([, inbound]) => services.handle(inbound, connection))
  assert.equal((await refused)[0].detail.reason, 'busy')
  assert.deepEqual(
    pairs.map(([, inbound]) => inbound.status),
    ['open', 'open', 'open', 'aborted'],
  )
  await services.stop()
  await Promise.all(handled)
})
