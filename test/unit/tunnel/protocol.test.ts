/** Requests and answers of the tunnel protocol, as docs/tunnel-protocol.md writes them. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isServiceName,
} from '../../../peer/tunnel/protocol.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

test('a request and an answer are these bytes', () => {
  assert.deepEqual(Buffer.from(encodeRequest({ service: 'web' })), bytes('\x11{"service":"web"}'))
  assert.deepEqual(Buffer.from(encodeResponse('refused')), bytes('\x14{"status":"refused"}'))
})

test('fields of later versions are ignored', () => {
  assert.deepEqual(decodeRequest(bytes('{"service":"web","secret":"x","resume":{"at":7}}')), {
    service: 'web',
  })
  assert.equal(decodeResponse(bytes('{"status":"ok","session":1}')), 'ok')
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
    '\xff',
  ]) {
    assert.throws(() => decodeRequest(bytes(body)), { name: 'InvalidMessageError' }, body)
  }
})

test('whatever is no answer of this version is refused', () => {
  for (const body of ['', '{}', '{"status":"later"}', '{"status":1}', '{"status":["ok"]}', '"ok"']) {
    assert.throws(() => decodeResponse(bytes(body)), { name: 'InvalidMessageError' }, body)
  }
})

test('a request that does not fit is not sent', () => {
  assert.throws(() => encodeRequest({ service: 'x'.repeat(1024) }), { name: 'InvalidMessageError' })
})

test('service names are short and plain', () => {
  for (const name of ['web', 'a', '22', 'my.service_2-x', 'x'.repeat(63)])
    assert.equal(isServiceName(name), true, name)
  for (const name of ['', '-x', '.x', 'a b', 'a/b', 'a=b', 'ü', 'web\n', 'x'.repeat(64)]) {
    assert.equal(isServiceName(name), false, name)
  }
})
