/** Wrong tokens are counted by network. After some, that network is slowed down, and peers that were let in before are not. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { lpStream, streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { GUESSES, Tokens } from '../../../../relay/admission/tokens.ts'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'

const LIMIT = { timeout: 20_000 } as const

const RIGHT = 'd2c9a5e0b3f14786'
const ADDR = '/ip4/192.0.2.1/tcp/1'

async function newPeerId(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

async function serve(): Promise<{
  tokens: Tokens
  show: (token: string, addr?: string, remotePeer?: PeerId) => Promise<boolean>
}> {
  const tokens = new Tokens([RIGHT])
  let handler: ((stream: Stream, connection: Connection) => unknown) | undefined
  await tokens.serve({
    handle: async (_protocol, accept) => {
      handler = accept as typeof handler
    },
  } satisfies Pick<Registrar, 'handle'>)
  async function show(token: string, addr = ADDR, remotePeer?: PeerId): Promise<boolean> {
    const connection = { remoteAddr: multiaddr(addr), remotePeer: remotePeer ?? (await newPeerId()) }
    const [ours, theirs] = await streamPair()
    const handled = handler?.(theirs, connection as Connection)
    const messages = lpStream(ours)
    const signal = AbortSignal.timeout(5_000)
    await messages.write(Buffer.from(token), { signal })
    const answer = await messages.read({ signal })
    await ours.close({ signal })
    await handled
    return answer.get(0) === 1
  }
  return { tokens, show }
}

describe('wrong tokens of one network', () => {
  async function exhaust(
    show: (token: string, addr?: string) => Promise<boolean>,
    addr = ADDR,
  ): Promise<void> {
    for (let count = 0; count < GUESSES.capacity; count++)
      assert.equal(await show(`wrong ${count}`, addr), false)
  }

  it('are refused, and then so is a right one for a while', LIMIT, async () => {
    const { show } = await serve()
    assert.equal(await show(RIGHT), true)
    await exhaust(show)
    assert.equal(await show(RIGHT), false)
  })

  it('of an IPv6 site count together', LIMIT, async () => {
    const { show } = await serve()
    for (let count = 0; count < GUESSES.capacity; count++)
      assert.equal(await show(`wrong ${count}`, `/ip6/2001:db8:0:1::${count.toString(16)}/tcp/1`), false)
    assert.equal(await show(RIGHT, '/ip6/2001:db8:0:2::1/tcp/1'), false)
    assert.equal(await show(RIGHT, '/ip6/2001:db8:1::1/tcp/1'), true)
  })

  it('do not slow down other networks', LIMIT, async () => {
    const { show } = await serve()
    await exhaust(show)
    assert.equal(await show(RIGHT, '/ip4/192.0.2.2/tcp/1'), true)
  })

  it('do not slow down a peer of that network that has shown a right one before', LIMIT, async () => {
    const { show, tokens } = await serve()
    const known = await newPeerId()
    assert.equal(await show(RIGHT, ADDR, known), true)
    await exhaust(show)
    assert.equal(await show(RIGHT, ADDR, known), true)
    // with new tokens nobody is known
    tokens.replace([`${RIGHT} 2`])
    assert.equal(await show(`${RIGHT} 2`, ADDR, known), false)
  })

  it('count once if they are the same one, as of a peer with an old token', LIMIT, async () => {
    const { show } = await serve()
    for (let count = 0; count < GUESSES.capacity + 2; count++) assert.equal(await show('old'), false)
    assert.equal(await show(RIGHT), true)
  })

  it('are not counted while no token is needed', LIMIT, async () => {
    const { show, tokens } = await serve()
    tokens.replace([])
    for (let count = 0; count < GUESSES.capacity + 2; count++) assert.equal(await show('any'), true)
    tokens.replace([RIGHT])
    assert.equal(await show(RIGHT), true)
  })
})
