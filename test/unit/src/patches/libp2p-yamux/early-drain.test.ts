import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drainWhenSent } from '../../../../../src/patches/libp2p-yamux/early-drain.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, withRemote } from './muxer-pair.ts'
import { amendConnection, amendStream } from './stand-ins.ts'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'

const LIMIT = { timeout: 30_000 }
const [WINDOW_UPDATE, ACK] = [1, 2]
const CHUNK = new Uint8Array(64 * 1024)
const UPDATES = 1_000

describe('a writer whose remote gives windows of 16 bytes', LIMIT, () => {
  it('goes on for each of them in @chainsafe/libp2p-yamux, which is the fault', async () => {
    assert.ok((await chunksFor([], 16)) >= UPDATES / 2)
  })

  it('waits until all is sent that it has written', async () => {
    const chunks = await chunksFor([drainWhenSent], 16)
    // the first window of 256 KiB, and one that is on its way
    assert.ok(chunks <= 5, `${chunks}`)
  })

  it('goes on when it has a window', async () => {
    const chunks = await chunksFor([drainWhenSent], CHUNK.byteLength)
    assert.ok(chunks > 50, `${chunks}`)
  })
})

describe('drainWhenSent', () => {
  const members = {
    safeDispatchEvent: () => true,
    processSendQueue: () => true,
    writableNeedsDrain: false,
    writeBufferLength: 0,
  }
  refusesWithout('@libp2p/utils', members, stream => amendStream(drainWhenSent, stream))
  refusesWithout('@libp2p/utils', { writableNeedsDrain: false }, connection =>
    amendConnection(drainWhenSent, connection),
  )
})

/** How many chunks a writer writes that always has more, when windows of this size come. */
async function chunksFor(amendments: readonly Amendment[], window: number): Promise<number> {
  const { remote, muxer } = withRemote(amendments)
  remote.addEventListener('message', () => {})
  const stream = await muxer.createStream()
  let chunks = 0
  const write = (): void => {
    do chunks++
    while (stream.send(CHUNK))
  }
  stream.addEventListener('drain', write)
  write()
  let handled = 0
  const onData = muxer.onData.bind(muxer)
  muxer.onData = data => {
    onData(data)
    handled += data.byteLength
  }
  const id = Number(stream.id)
  for (let n = 0; n < UPDATES; n++) {
    remote.send(header({ type: WINDOW_UPDATE, flags: ACK, streamId: id, length: window }))
    const wanted = (n + 1) * 12
    await until(() => handled === wanted)
  }
  return chunks
}
