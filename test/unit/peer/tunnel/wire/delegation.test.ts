/** Acting for a peer whose identity another process is using. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { delegate, principalOf } from '../../../../../peer/tunnel/wire/delegation.ts'
import {
  decodeRequest,
  encodeRequest,
  MAX_SERVICE_NAME_LENGTH,
} from '../../../../../peer/tunnel/wire/protocol.ts'

const [identity, process, listener] = await Promise.all([0, 1, 2].map(() => generateKeyPair('Ed25519')))
assert.ok(identity !== undefined && process !== undefined && listener !== undefined)
const ends = { delegate: peerIdFromPrivateKey(process), listener: peerIdFromPrivateKey(listener) }
const me = peerIdFromPrivateKey(identity).toString()

test('a delegation says whom a process acts for', async () => {
  assert.equal(await principalOf(await delegate(identity, ends), ends), me)
})

test('it does, whatever kind of key the identity has, if the id holds it', async () => {
  const other = await generateKeyPair('secp256k1')
  assert.equal(await principalOf(await delegate(other, ends), ends), peerIdFromPrivateKey(other).toString())
})

test('a delegation is worth nothing to another process, and at another listener', async () => {
  const delegation = await delegate(identity, ends)
  assert.equal(await principalOf(delegation, { ...ends, delegate: ends.listener }), undefined)
  assert.equal(await principalOf(delegation, { ...ends, listener: ends.delegate }), undefined)
  assert.equal(await principalOf(delegation, { delegate: ends.listener, listener: ends.delegate }), undefined)
})

test('whatever else is shown for one proves nothing', async () => {
  const { proof } = await delegate(identity, ends)
  const bare = await generateKeyPair('RSA', 2048)
  for (const wrong of [
    { principal: me, proof: '' },
    { principal: me, proof: `${proof}AAAA` },
    { principal: me, proof: 'x'.repeat(1000) },
    { principal: ends.listener.toString(), proof },
    { principal: 'nobody', proof },
    { principal: peerIdFromPrivateKey(bare).toString(), proof },
  ])
    assert.equal(await principalOf(wrong, ends), undefined)
})

test('a request with all that a peer can show fits into a message', async () => {
  const request = {
    service: 'x'.repeat(MAX_SERVICE_NAME_LENGTH),
    session: 'x'.repeat(22),
    ticket: 'x'.repeat(32),
    delegation: await delegate(identity, ends),
  }
  assert.deepEqual(decodeRequest(encodeRequest(request).subarray(2)), request)
})

test('credentials that are not as they should be count as none', () => {
  const request = { service: 'web', session: 'x'.repeat(22) }
  for (const wrong of [{ ticket: 7 }, { for: me }, { proof: 'x' }, { for: {}, proof: [] }])
    assert.deepEqual(decodeRequest(Buffer.from(JSON.stringify({ ...request, ...wrong }))), request)
})
