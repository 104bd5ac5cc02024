import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { upgradeInFewPieces } from '../../../../../src/patches/libp2p-utils/handshake-pieces.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { MessageStream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

/** As many as a handshake may come in. */
const MOST = 2_048

describe('@libp2p/utils', LIMIT, () => {
  it('takes pieces in a time that grows with their square, which is the fault', () => {
    const perPieceMs = (count: number): number => {
      const list = new Uint8ArrayList(...Array.from({ length: count }, () => Uint8Array.of(0)))
      const before = process.cpuUsage()
      list.consume(count - 1)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000 / count
    }
    // the least of several: a collection of garbage takes longer than the few
    const least = (count: number): number => Math.min(...Array.from({ length: 5 }, () => perPieceMs(count)))
    const few = least(MOST * 4)
    const many = least(60_000)
    assert.ok(many > few * 5, `${many} ms for each of many, ${few} ms for each of few`)
  })
})

describe('upgradeInFewPieces()', LIMIT, () => {
  it('aborts a socket from which more pieces come before it is upgraded', async t => {
    const { near, far } = pair(t)
    const upgrade = upgradeInFewPieces(near, async () => closed(near))
    for (let n = 0; n <= MOST; n++) far.send(Uint8Array.of(0))
    await upgrade
    assert.equal(near.status, 'aborted')
  })

  it('counts pieces, and not bytes', async t => {
    const { near, far } = pair(t)
    let bytes = 0
    near.addEventListener('message', ({ data }) => (bytes += data.byteLength))
    await upgradeInFewPieces(near, async () => {
      for (let n = 0; n < 100; n++) far.send(Buffer.alloc(64 * 1024))
      await until(() => bytes === 100 * 64 * 1024)
    })
    assert.equal(near.status, 'open')
  })

  it('counts no more once the upgrade has ended, and resolves as it does', async t => {
    const { near, far } = pair(t)
    let bytes = 0
    near.addEventListener('message', ({ data }) => (bytes += data.byteLength))
    assert.equal(await upgradeInFewPieces(near, async () => 'upgraded'), 'upgraded')
    for (let n = 0; n < MOST * 2; n++) far.send(Uint8Array.of(0))
    await until(() => bytes === MOST * 2)
    assert.equal(near.status, 'open')
  })

  it('rejects as the upgrade does', async t => {
    const failure = new Error('refused')
    const upgrade = upgradeInFewPieces(pair(t).near, async () => Promise.reject(failure))
    await assert.rejects(upgrade, failure)
  })

  const members = { onData: () => {}, abort: () => {} }
  refusesWithout('@libp2p/utils', members, async socket => upgradeInFewPieces(socket, async () => {}))
})

function pair(t: TestContext): { near: MessageStream; far: MessageStream } {
  const [near, far] = multiaddrConnectionPair({ capacity: Infinity })
  t.after(() => far.abort(new Error('the test is over')))
  return { near, far }
}

async function closed(stream: MessageStream): Promise<void> {
  await new Promise(resolve => stream.addEventListener('close', resolve, { once: true }))
}
