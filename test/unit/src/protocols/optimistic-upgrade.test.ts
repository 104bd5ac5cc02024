/** Outbound upgrades that do not wait until the remote agrees on the encryption. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UnsupportedProtocolError } from '@libp2p/interface'
import { lpStream, multiaddrConnectionPair } from '@libp2p/utils'
import { optimisticTransport, optimisticUpgrader } from '../../../../src/protocols/optimistic-upgrade.ts'
import { proposalOf } from '../../../../src/protocols/optimistic-stream.ts'
import type { MultiaddrConnection, Upgrader } from '@libp2p/interface'

const LIMIT = { timeout: 10_000 }
const ENCRYPTION = '/noise'
const HELLO = Buffer.from('first message of the handshake')

/** Selects the encryption as libp2p does, and then begins its handshake. */
function upgraderWith(...encryptions: string[]): Upgrader {
  return {
    getConnectionEncrypters: () => new Map(encryptions.map(name => [name, {}])),
    upgradeOutbound: async (socket: MultiaddrConnection, { signal }: { signal: AbortSignal }) => {
      const lines = lpStream(socket)
      await lines.writeV([Buffer.from('/multistream/1.0.0\n'), Buffer.from(`${encryptions[0]}\n`)], {
        signal,
      })
      const header = await lines.read({ signal })
      const chosen = await lines.read({ signal })
      lines.unwrap()
      socket.send(HELLO)
      return [header, chosen].map(it => Buffer.from(it.subarray()).toString())
    },
  } as unknown as Upgrader
}

async function read(socket: MultiaddrConnection, length: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let received = Buffer.alloc(0)
  socket.addEventListener('message', event => {
    received = Buffer.concat([received, event.data.subarray()])
    if (received.byteLength >= length) resolve(received.toString())
  })
  socket.addEventListener('close', event => reject(event.error ?? new Error('closed')))
  return promise
}

const proposal = proposalOf(ENCRYPTION)
const upgrade = async (upgrader: Upgrader, socket: MultiaddrConnection, options = {}): Promise<unknown> =>
  optimisticUpgrader(upgrader).upgradeOutbound(socket, {
    signal: AbortSignal.timeout(5_000),
    ...options,
  } as never)

describe('an optimistic upgrade', () => {
  test('begins the handshake before the remote has answered', LIMIT, async () => {
    const [local, remote] = multiaddrConnectionPair()
    const sent = read(remote, proposal.byteLength + HELLO.byteLength)
    assert.deepEqual(await upgrade(upgraderWith(ENCRYPTION), local), [
      '/multistream/1.0.0\n',
      `${ENCRYPTION}\n`,
    ])
    assert.equal(await sent, `${proposal.toString()}${HELLO.toString()}`)
  })

  for (const [how, pieces] of [
    ['in one piece', [Buffer.concat([proposal, Buffer.from('answer')])]],
    ['with the answer apart', [proposal, Buffer.from('answer')]],
    ['byte by byte', Array.from(Buffer.concat([proposal, Buffer.from('answer')]), byte => Buffer.of(byte))],
  ] as const)
    test(`keeps the agreement from the handshake, ${how}`, LIMIT, async () => {
      const [local, remote] = multiaddrConnectionPair()
      await upgrade(upgraderWith(ENCRYPTION), local)
      const answer = read(local, 'answer'.length)
      for (const piece of pieces) remote.send(piece)
      assert.equal(await answer, 'answer')
    })

  test('aborts the connection when the remote refuses', LIMIT, async () => {
    const [local, remote] = multiaddrConnectionPair()
    await upgrade(upgraderWith(ENCRYPTION), local)
    const answer = read(local, 1)
    remote.send(Buffer.from('\x13/multistream/1.0.0\n\x03na\n'))
    await assert.rejects(answer, UnsupportedProtocolError)
    assert.equal(local.status, 'aborted')
  })

  test('waits where the node has a second encryption to propose', LIMIT, async () => {
    const [local, remote] = multiaddrConnectionPair()
    const upgraded = upgrade(upgraderWith(ENCRYPTION, '/tls/1.0.0'), local)
    assert.equal(await read(remote, proposal.byteLength), proposal.toString())
    remote.send(proposal)
    await upgraded
  })

  test('leaves a connection alone that has the role of the server', LIMIT, async () => {
    const [local] = multiaddrConnectionPair()
    const upgrader = {
      ...upgraderWith(ENCRYPTION),
      upgradeOutbound: async () => 'served',
    } as unknown as Upgrader
    assert.equal(await upgrade(upgrader, local, { initiator: false }), 'served')
    assert.equal(Object.hasOwn(local, 'send'), false)
  })
})

test('an optimistic transport is made with an optimistic upgrader, and the other components', () => {
  const upgrader = upgraderWith(ENCRYPTION)
  const components = { upgrader, name: 'other' }
  const made = optimisticTransport((given: typeof components) => ({
    ...given,
    name: given.name,
    upgrader: given.upgrader,
  }))(components)
  assert.equal(made.name, 'other')
  assert.equal(Object.getPrototypeOf(made.upgrader), upgrader)
  assert.ok(Object.hasOwn(made.upgrader, 'upgradeOutbound'))
})
