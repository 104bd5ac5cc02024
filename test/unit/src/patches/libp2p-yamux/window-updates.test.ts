import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { updateWindowsSparingly } from '../../../../../src/patches/libp2p-yamux/window-updates.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { muxerPair, openStream } from './muxer-pair.ts'
import { amendMuxer, amendStream } from './stand-ins.ts'
import { updatesFor } from './window-updates.ts'

const KIB = 1024
const LIMIT = { timeout: 30_000 }

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('sends a window update for each frame that it receives, which is the fault', async () => {
    assert.equal(await updatesFor(1024 * KIB, []), 32)
  })
})

describe('window updates', LIMIT, () => {
  it('come once half a window is used', async () => {
    const updates = await updatesFor(4 * 1024 * KIB, [updateWindowsSparingly])
    assert.ok(updates > 0 && updates <= (4 * 1024) / 128, String(updates))
  })

  for (const bytes of [1, 1_000, 64 * KIB, 128 * KIB - 1, 300 * KIB])
    it(`keep a stream going that sends ${bytes} bytes at a time`, async () => {
      const [stream, there] = await openStream(muxerPair([updateWindowsSparingly]))
      let received = 0
      there.addEventListener('message', ({ data }) => (received += data.byteLength))
      const count = Math.max(3, Math.min(1_000, (1024 * KIB) / bytes))
      for (let n = 0; n < count; n++) {
        stream.send(new Uint8Array(bytes))
        await until(() => !stream.writableNeedsDrain)
      }
      await until(() => received === Math.ceil(count) * bytes)
    })

  it('come when a stream is read again whose window was used up', async () => {
    const [stream, there] = await openStream(muxerPair([updateWindowsSparingly]))
    there.pause()
    stream.send(new Uint8Array(600 * KIB))
    await until(() => there.recvWindowCapacity === 0)
    let received = 0
    there.addEventListener('message', ({ data }) => (received += data.byteLength))
    there.resume()
    await until(() => received === 600 * KIB)
  })
})

describe('updateWindowsSparingly', () => {
  const PACKAGE = '@chainsafe/libp2p-yamux'
  refusesWithout(PACKAGE, { _newStream: () => {} }, muxer => amendMuxer(updateWindowsSparingly, muxer))
  const members = { state: 1, recvWindow: 1, recvWindowCapacity: 1, sendWindowUpdate: () => {} }
  refusesWithout(PACKAGE, members, stream => amendStream(updateWindowsSparingly, stream))
})
