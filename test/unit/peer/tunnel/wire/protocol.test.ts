/** Requests and answers of the tunnel protocol, as docs/tunnel-protocol.md writes them. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { MAX_STREAMS } from '../../../../../peer/node/libp2p.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isServiceName,
  MAX_CONNECTIONS_PER_PEER,
} from '../../../../../peer/tunnel/wire/protocol.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const session = 'AAAAAAAAAAAAAAAAAAAAAA'

test('a request and an answer are these bytes', () => {
  assert.deepEqual(
    Buffer.from(encodeRequest({ service: 'web', session })),
    bytes(`\x34{"service":"web","session":"${session}"}`),
  )
  assert.deepEqual(Buffer.from(encodeResponse({ status: 'refused' })), bytes('\x14{"status":"refused"}'))
})

test('a request to go on and its answer are these bytes', () => {
  const position = { received: 7, limit: 9 }
  assert.deepEqual(
    Buffer.from(encodeRequest({ session, ...position })),
    bytes(`\x3b{"session":"${session}","received":7,"limit":9}`),
  )
  assert.deepEqual(
    Buffer.from(encodeResponse({ status: 'ok', position })),
    bytes('\x26{"status":"ok","received":7,"limit":9}'),
  )
  assert.deepEqual(decodeRequest(bytes(`{"session":"${session}","received":7,"limit":9}`)), {
    session,
    ...position,
  })
  assert.deepEqual(decodeResponse(bytes('{"status":"ok","received":7,"limit":9}')), {
    status: 'ok',
    position,
  })
})

test('fields of later versions are ignored', () => {
  assert.deepEqual(decodeRequest(bytes(`{"service":"web","session":"${session}","secret":"x"}`)), {
    service: 'web',
    session,
  })
  assert.deepEqual(decodeResponse(bytes('{"status":"ok","session":1}')), { status: 'ok' })
})

test('whatever is no request is refused', () => {
  for (const body of [
    '',
    '{',
    'null',
    '1',
    '"web"',
    '["web"]',
    '{}',
    '{"service":null}',
    '{"service":["web"]}',
    '{"service":"web"}',
    '{"service":"web","session":"short"}',
    `{"session":"${session}"}`,
    `{"session":"${session}","received":-1,"limit":9}`,
    `{"session":"${session}","received":0.5,"limit":9}`,
    `{"session":"${session}","received":1e99,"limit":9}`,
    '\xff',
  ]) {
    assert.throws(() => decodeRequest(bytes(body)), { name: 'InvalidMessageError' }, body)
  }
})

test('whatever is no answer of this version is refused', () => {
  for (const body of [
    '',
    '{}',
    '{"status":"later"}',
    '{"status":1}',
    '{"status":["ok"]}',
    '"ok"',
    '{"status":"ok","received":1}',
  ]) {
    assert.throws(() => decodeResponse(bytes(body)), { name: 'InvalidMessageError' }, body)
  }
})

test('a request that does not fit is not sent', () => {
  assert.throws(() => encodeRequest({ service: 'x'.repeat(1024), session }), { name: 'InvalidMessageError' })
})

test('service names are short and plain', () => {
  for (const name of ['web', 'a', '22', 'my.service_2-x', 'x'.repeat(63)])
    assert.equal(isServiceName(name), true, name)
  for (const name of ['', '-x', '.x', 'a b', 'a/b', 'a=b', 'ü', 'web\n', 'x'.repeat(64)]) {
    assert.equal(isServiceName(name), false, name)
  }
})

test('a connection has streams for all tunnels of a peer while they move from one path to another', () => {
  assert.ok(MAX_STREAMS >= 2 * MAX_CONNECTIONS_PER_PEER)
})
