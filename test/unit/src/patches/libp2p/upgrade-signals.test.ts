import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { endpointOf } from '../../../../../src/addresses/endpoint.ts'
import { separateUpgradeSignals } from '../../../../../src/patches/libp2p/upgrade-signals.ts'
import { once, until } from '../../../../waits.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { startNode } from './node.ts'
import type { ClearableSignal, Upgrader } from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Components, Node } from './node.ts'

const LIMIT = { timeout: 30_000 }

const upgraderOf = (components: Components): Upgrader =>
  (components as Components & { upgrader: Upgrader }).upgrader
const patch = (components: Components): void => separateUpgradeSignals(upgraderOf(components))

const pendingListeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

/** An upgrader with this timeout, in milliseconds. */
function patched(inboundUpgradeTimeout: number): Pick<Upgrader, 'createInboundAbortSignal'> {
  const upgrader = { inboundUpgradeTimeout, createInboundAbortSignal: () => undefined }
  separateUpgradeSignals(upgrader as unknown as Upgrader)
  return upgrader as unknown as Upgrader
}

/** Opens a socket that says nothing. */
async function openSilent(t: TestContext, { node }: Node): Promise<Socket> {
  const { host, port } = endpointOf(node.getMultiaddrs()[0]!)
  const socket = connect({ host, port }).on('error', () => {})
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

describe('libp2p', LIMIT, () => {
  it('adds a listener to the shared signal for each pending upgrade, which is the fault', async t => {
    const { components } = await startNode(t)
    const { signal } = new AbortController()
    const signals = Array.from({ length: 10 }, () => upgraderOf(components).createInboundAbortSignal(signal))
    assert.equal(pendingListeners(signal), 10)
    for (const it of signals) it.clear()
  })
})

describe('separateUpgradeSignals()', LIMIT, () => {
  it('adds one listener to the shared signal for all pending upgrades', async t => {
    const { components } = await startNode(t, patch)
    const { signal } = new AbortController()
    const signals = Array.from({ length: 10 }, () => upgraderOf(components).createInboundAbortSignal(signal))
    assert.equal(pendingListeners(signal), 1)
    for (const it of signals) it.clear()
    upgraderOf(components).createInboundAbortSignal(signal).clear()
    assert.equal(pendingListeners(signal), 1)
  })

  it('ends the upgrades of one transport, and no others', () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const upgrader = patched(10_000)
    const ended = [1, 2].map(() => upgrader.createInboundAbortSignal(one.signal))
    const goesOn = upgrader.createInboundAbortSignal(other.signal)
    const reason = new Error('the transport stops')
    one.abort(reason)
    assert.deepEqual(
      ended.map(it => it.reason as Error),
      [reason, reason],
    )
    assert.equal(goesOn.aborted, false)
    for (const it of [...ended, goesOn]) it.clear()
  })

  it('ends an upgrade that begins after the end of its transport', () => {
    const reason = new Error('the transport has stopped')
    const signal = patched(10_000).createInboundAbortSignal(AbortSignal.abort(reason))
    assert.equal(signal.reason, reason)
    signal.clear()
  })

  it('ends an upgrade whose time is over', async () => {
    const signal = patched(20).createInboundAbortSignal(new AbortController().signal)
    await once(signal, 'abort')
    assert.equal((signal.reason as Error).name, 'TimeoutError')
  })

  it('does not fire a signal after it has been cleared', async () => {
    const shared = new AbortController()
    const upgrader = patched(20)
    const cleared: ClearableSignal = upgrader.createInboundAbortSignal(shared.signal)
    cleared.clear()
    await once(upgrader.createInboundAbortSignal(shared.signal), 'abort')
    shared.abort()
    assert.equal(cleared.aborted, false)
  })

  it('patches a node once', async t => {
    const { components } = await startNode(t, patch)
    const method = (): unknown => Reflect.get(upgraderOf(components), 'createInboundAbortSignal')
    const before = method()
    patch(components)
    assert.equal(method(), before)
  })

  it('closes a silent socket when its time is over', async t => {
    const node = await startNode(t, patch, { connectionManager: { inboundUpgradeTimeout: 100 } })
    const socket = await openSilent(t, node)
    await until(() => socket.destroyed, 'the socket is closed')
  })

  it('closes silent sockets when the node stops', async t => {
    const node = await startNode(t, patch)
    const sockets = await Promise.all([1, 2, 3].map(async () => openSilent(t, node)))
    await node.node.stop()
    await until(() => sockets.every(it => it.destroyed), 'the sockets are closed', 5_000)
  })

  const members = { createInboundAbortSignal: () => {}, inboundUpgradeTimeout: 1 }
  refusesWithout('libp2p', members, separateUpgradeSignals)
})
