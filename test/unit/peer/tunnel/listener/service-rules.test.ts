/** Who may use which service. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createServiceRules } from '../../../../../peer/tunnel/listener/service-rules.ts'

const address = { host: '127.0.0.1', port: 80 }
const [friend, stranger] = await Promise.all(
  [0, 1].map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
)
if (friend === undefined || stranger === undefined) throw new Error('no peer ids')

test('a service without a rule is open to nobody', () => {
  const rules = createServiceRules(new Map([['web', address]]), new Map())
  assert.equal(rules.find('web', friend.toString()), 'not-allowed')
})

test('a rule opens a service to the peers it names, however their ids are spelled', () => {
  for (const spelling of [friend.toString(), friend.toCID().toString()]) {
    const rules = createServiceRules(new Map([['web', address]]), new Map([['web', new Set([spelling])]]))
    assert.deepEqual(rules.find('web', friend.toString()), address)
    assert.equal(rules.find('web', stranger.toString()), 'not-allowed')
  }
})

test('a rule for anyone opens that service only', () => {
  const services = new Map([
    ['web', address],
    ['ssh', { host: '127.0.0.1', port: 22 }],
  ])
  const rules = createServiceRules(services, new Map([['web', 'anyone' as const]]))
  assert.deepEqual(rules.find('web', stranger.toString()), address)
  assert.equal(rules.find('ssh', stranger.toString()), 'not-allowed')
  assert.equal(rules.find('__proto__', stranger.toString()), 'unknown')
})

test('everything that is wrong is reported at once', () => {
  const services = new Map([
    ['no spaces', address],
    ['web', { host: '127.0.0.1', port: 0 }],
  ])
  const allow = new Map([
    ['web', new Set(['everyone'])],
    ['wbe', new Set<string>()],
  ])
  assert.throws(
    () => createServiceRules(services, allow),
    (error: { name: string; problems: { where: string }[] }) => {
      assert.equal(error.name, 'InvalidConfigError')
      assert.deepEqual(
        error.problems.map(problem => problem.where),
        ['service "no spaces"', 'service "web"', 'rule "web"', 'rule "wbe"'],
      )
      return true
    },
  )
})
