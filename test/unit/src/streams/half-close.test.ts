/** The ends of streams, told apart from cuts. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { closedWithoutEnd, endWriting, RemoteEnd } from '../../../../src/streams/half-close.ts'
import type { Stream } from '@libp2p/interface'

const LIMIT = { timeout: 10_000 }

function watch(stream: Stream): { end: RemoteEnd; read: () => number } {
  let count = 0
  const end = new RemoteEnd(stream, () => count++)
  end.watch()
  return { end, read: () => count }
}

test('the end comes once, after everything was read', LIMIT, async () => {
  const [local, remote] = await streamPair()
  local.pause()
  const { end, read } = watch(local)
  local.addEventListener('message', () => assert.equal(read(), 0))
  remote.send(Buffer.from('data'))
  const here = once(local, 'remoteCloseWrite')
  await endWriting(remote)
  await here
  assert.deepEqual([end.isHere, read()], [true, 0])
  const ended = once(local, 'end')
  local.resume()
  await ended
  assert.equal(read(), 1)
})

test('an end that came before is found', LIMIT, async () => {
  const [local, remote] = await streamPair()
  const ended = once(local, 'end')
  await endWriting(remote)
  await ended
  const { end, read } = watch(local)
  assert.deepEqual([end.isHere, read()], [true, 0])
  end.check()
  assert.equal(read(), 1)
})

test('a reset is no end, though an end came before it', LIMIT, async () => {
  for (const hasEnd of [false, true]) {
    const [local, remote] = await streamPair()
    local.pause()
    const { end, read } = watch(local)
    const here = hasEnd ? once(local, 'remoteCloseWrite') : undefined
    remote.send(Buffer.from('unread'))
    if (hasEnd) await endWriting(remote)
    await here
    local.abort(new Error('cut'))
    end.check()
    assert.deepEqual([end.isHere, read()], [hasEnd, 0])
  }
})

test('nothing is reported after the watch', LIMIT, async () => {
  const [local, remote] = await streamPair()
  const { end, read } = watch(local)
  end.unwatch()
  const ended = once(local, 'end')
  await endWriting(remote)
  await ended
  assert.deepEqual([end.isHere, read()], [false, 0])
})

test('writing that cannot be ended fails with an error', LIMIT, async () => {
  const stream = { status: 'reset', close: () => Promise.reject(new Event('close')) } as unknown as Stream
  await assert.rejects(endWriting(stream), { name: 'StreamResetError' })
  const failed = { status: 'open', close: () => Promise.reject(new Error('broken')) } as unknown as Stream
  await assert.rejects(endWriting(failed), { message: 'broken' })
  assert.equal(closedWithoutEnd({ status: 'closed' } as Stream).name, 'ConnectionClosedError')
})
