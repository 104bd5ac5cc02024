/** What a peer tells of a relay's limits. The remote peer is a plain node, which never becomes direct. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer } from '../../peer/index.ts'
import { startPlain, startRelay } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { Libp2p, Stream, StreamCloseEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { CircuitLimitError, Peer, PeerConnection } from '../../peer/index.ts'
import type { Relay, RelayInit } from '../../relay/index.ts'

const LIMIT = { timeout: 30_000 }
const ECHO = '/test/echo/1'
const MUCH = 4 * 1024 * 1024

interface Scene {
  relay: Relay
  peer: Peer
  plain: Libp2p
  circuitAddr: string
}

async function createScene(t: TestContext, init: RelayInit): Promise<Scene> {
  const relay = await startRelay(t, init)
  const plain = await startPlain(t, relay)
  const peer = await createPeer({ relays: relay.addrs })
  t.after(() => peer.stop())
  return { relay, peer, plain, circuitAddr: `${relay.addrs[0]}/p2p-circuit/p2p/${plain.peerId}` }
}

async function connect({ peer, circuitAddr }: Scene): Promise<PeerConnection> {
  return peer.connect(circuitAddr, { signal: AbortSignal.timeout(10_000) })
}

/** What a stream ended with. */
async function errorOf(stream: Stream): Promise<Error | undefined> {
  const [event] = (await once(stream as never, 'close')) as [StreamCloseEvent]
  return event.error
}

function assertLimit(
  error: Error | undefined,
  limit: CircuitLimitError['limit'],
  { relay }: Scene,
): asserts error is CircuitLimitError {
  assert.equal(error?.name, 'CircuitLimitError', String(error))
  const { limit: reached, relay: cutBy } = error as CircuitLimitError
  assert.deepEqual({ reached, cutBy }, { reached: limit, cutBy: relay.peerId.toString() })
}

describe("a relay's limits", () => {
  it('are told, and what is left of them', LIMIT, async t => {
    const allowed = 1024 * 1024
    const scene = await createScene(t, { circuitBytes: allowed, circuitDurationMs: 60_000 })
    const connection = await connect(scene)
    const { bytesLeft = 0, secondsLeft = 0 } = connection.limits ?? {}
    assert.ok(bytesLeft < allowed && bytesLeft > allowed - 64 * 1024, `${bytesLeft} bytes`)
    assert.ok(secondsLeft <= 60 && secondsLeft > 30, `${secondsLeft} s`)
    const stream = await connection.newStream(ECHO)
    const payload = Buffer.alloc(100_000)
    stream.send(payload)
    let back = 0
    for await (const data of stream) if ((back += data.byteLength) === payload.byteLength) break
    // libp2p counts what comes and what goes
    assert.ok(bytesLeft - (connection.limits?.bytesLeft ?? 0) >= 2 * payload.byteLength)
  })

  it('are undefined where there are none', LIMIT, async t => {
    const connection = await connect(await createScene(t, {}))
    assert.equal(connection.path, 'relayed')
    assert.equal(connection.limits, undefined)
  })

  it(
    'on bytes end a stream with CircuitLimitError, and the next one goes over another circuit',
    LIMIT,
    async t => {
      const scene = await createScene(t, { circuitBytes: 512 * 1024 })
      const connection = await connect(scene)
      const stream = await connection.newStream(ECHO)
      const ended = errorOf(stream)
      stream.send(Buffer.alloc(MUCH))
      assertLimit(await ended, 'data', scene)
      const next = await connection.newStream(ECHO)
      next.send(Buffer.from('again'))
      const [{ data }] = (await once(next as never, 'message')) as [{ data: { subarray(): Uint8Array } }]
      assert.equal(Buffer.from(data.subarray()).toString(), 'again')
    },
  )

  it('on time end a stream with CircuitLimitError', LIMIT, async t => {
    const scene = await createScene(t, { circuitDurationMs: 2_000 })
    const stream = await (await connect(scene)).newStream(ECHO)
    assertLimit(await errorOf(stream), 'duration', scene)
  })

  it('end a stream that the remote peer opened in the same way', LIMIT, async t => {
    const scene = await createScene(t, { circuitBytes: 512 * 1024 })
    const { peer, plain, relay } = scene
    const ended = Promise.withResolvers<Error | undefined>()
    await peer.handle('/test/flood/1', stream => {
      errorOf(stream).then(ended.resolve, ended.reject)
      stream.send(Buffer.alloc(MUCH))
    })
    await peer.reachable()
    const circuit = await plain.dial(multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${peer.peerId}`))
    await circuit.newStream('/test/flood/1', { runOnLimitedConnection: true })
    assertLimit(await ended.promise, 'data', scene)
  })

  it('are not blamed for a stream that the remote peer resets', LIMIT, async t => {
    const scene = await createScene(t, { circuitBytes: 512 * 1024, circuitDurationMs: 60_000 })
    const connection = await connect(scene)
    const stream = await connection.newStream(ECHO)
    stream.send(Buffer.from('the other side has it'))
    await once(stream as never, 'message')
    const ended = errorOf(stream)
    for (const { streams } of scene.plain.getConnections(scene.peer.peerId))
      for (const open of streams) open.abort(new Error('no'))
    assert.equal((await ended)?.name, 'StreamResetError')
  })

  it('are not blamed when the remote peer goes', LIMIT, async t => {
    const scene = await createScene(t, { circuitBytes: 512 * 1024, circuitDurationMs: 60_000 })
    const stream = await (await connect(scene)).newStream(ECHO)
    const ended = errorOf(stream)
    await scene.plain.stop()
    assert.notEqual((await ended)?.name, 'CircuitLimitError')
  })
})
