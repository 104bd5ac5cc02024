import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { lpStream, streamPair } from '@libp2p/utils'
import {
  guard,
  guardedEncrypter,
  guardStreams,
  unguard,
} from '../../../../../src/patches/multistream-select/endless-length.ts'
import { amendMuxer } from '../libp2p-yamux/stand-ins.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { ConnectionEncrypter, MessageStream, Stream } from '@libp2p/interface'

const LIMIT = { timeout: 30_000 }

/** A length of so many bytes has no end: nine are the most. */
const ENDLESS_BYTES = 65

describe('lpStream of @libp2p/utils', LIMIT, () => {
  it('takes a length that has no end, which is the fault', async () => {
    assert.equal(await outcomeOfEndlessLength(() => {}), 'reads on')
  })
})

describe('guard()', LIMIT, () => {
  it('aborts a stream on a length without an end', async () => {
    assert.equal(await outcomeOfEndlessLength(guard), 'aborted')
  })

  it('counts over the pieces in which the length comes', async () => {
    assert.equal(await outcomeOfEndlessLength(guard, 1), 'aborted')
  })

  it('lets a negotiation and what follows it pass', async () => {
    const [near, far] = await pairWithoutProtocol()
    guard(far)
    const negotiation = Buffer.from('\x13/multistream/1.0.0\n')
    near.send(negotiation)
    near.send(Buffer.alloc(ENDLESS_BYTES - 1, 0x80))
    near.send(Buffer.alloc(1))
    await until(() => far.readBufferLength === negotiation.length + ENDLESS_BYTES)
    assert.equal(far.status, 'open')
  })

  it('looks no more once the stream has its protocol, or it is called off', async () => {
    for (const end of [(stream: Stream) => (stream.protocol = '/test/1'), unguard]) {
      const [near, far] = await pairWithoutProtocol()
      guard(far)
      end(far)
      near.send(Buffer.alloc(ENDLESS_BYTES, 0x80))
      await until(() => far.readBufferLength === ENDLESS_BYTES)
      assert.equal(far.status, 'open')
    }
  })

  refusesWithout('@libp2p/utils', { onData: () => {} }, guard)
})

describe('guardStreams', () => {
  refusesWithout('@libp2p/utils', { onRemoteStream: () => {} }, muxer => amendMuxer(guardStreams, muxer))
})

describe('guardedEncrypter()', () => {
  for (const method of ['secureInbound', 'secureOutbound'] as const)
    describe(`${method}()`, () => {
      refusesWithout('@libp2p/utils', { onData: () => {} }, async (connection: MessageStream) => {
        const secure = async (): Promise<unknown> => ({ connection })
        const create = () =>
          ({ secureInbound: secure, secureOutbound: secure }) as unknown as ConnectionEncrypter
        await guardedEncrypter(create)({})[method](connection)
      })
    })
})

/** What becomes of a stream on which a length without an end is read. */
async function outcomeOfEndlessLength(
  patch: (stream: Stream) => void,
  pieceBytes = ENDLESS_BYTES,
): Promise<'reads on' | 'aborted' | 'refused'> {
  const [near, far] = await pairWithoutProtocol()
  patch(far)
  const reading = new AbortController()
  const outcome = lpStream(far, { maxDataLength: 4096 })
    .read({ signal: reading.signal })
    .then(
      () => 'refused' as const,
      () => (reading.signal.aborted ? 'reads on' : far.status === 'aborted' ? 'aborted' : 'refused'),
    )
  let arrived = 0
  far.addEventListener('message', ({ data }) => (arrived += data.byteLength))
  for (let sent = 0; sent < ENDLESS_BYTES; sent += pieceBytes) near.send(Buffer.alloc(pieceBytes, 0x80))
  await until(() => arrived === ENDLESS_BYTES || far.status === 'aborted')
  // each byte takes a few microtasks
  await turn()
  reading.abort()
  return outcome
}

async function pairWithoutProtocol(): Promise<[Stream, Stream]> {
  const [near, far] = await streamPair()
  far.protocol = ''
  return [near, far]
}
