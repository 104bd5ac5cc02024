/** A patch fails loudly where the library is built otherwise. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { dropLateFrames } from '../../../../src/patches/libp2p-yamux/late-frames.ts'
import { preventOwnReservations } from '../../../../src/patches/libp2p-circuit-relay-v2/no-own-reservations.ts'
import { amended, ofStreams } from '../../../../src/patches/libp2p-yamux/amend.ts'
import { coalesceWrites } from '../../../../src/patches/libp2p-tcp/coalesced-writes.ts'
import { shapeCheck } from '../../../../src/patches/expect-shape.ts'
import { guard } from '../../../../src/patches/multistream-select/endless-length.ts'
import { boundListener } from '../../../../src/patches/libp2p-websockets/pre-handshake-bounds.ts'
import { explainDials } from '../../../../src/patches/libp2p-websockets/dial-errors.ts'
import { keepAlive, watchOver } from '../../../../src/transport/keep-alive.ts'

function versionOf(name: string): string {
  const path = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

class Stranger {
  readonly socket = {}
}

/** A multiplexer as the amendments need it, whose streams are built otherwise. */
class MuxerOfStrangers extends Stranger {
  readonly streams = []
  readonly decoder = { buffer: {}, readFrame: () => undefined }
  readonly onData = (): void => {}
  readonly send = (): boolean => true
  readonly onRemoteStream = (): void => {}
  _newStream = (): Stranger => new Stranger()
}

class StrangeTransport extends Stranger {
  readonly [Symbol.toStringTag] = '@libp2p/circuit-relay-v2-transport'
}

const patches: Array<[packageName: string, missing: string, apply: (stranger: never) => unknown]> = [
  ['@libp2p/tcp', 'sendData', coalesceWrites],
  ['@libp2p/tcp', 'socket.setKeepAlive', keepAlive],
  ['@libp2p/tcp', 'socket.setKeepAlive', watchOver],
  ['@libp2p/utils', 'onData', guard],
  ['@libp2p/utils', 'writeStatus', stranger => dropLateFrames(stranger, stranger)],
  [
    '@libp2p/circuit-relay-v2',
    'reservationStore.hasReservation',
    () => preventOwnReservations([new StrangeTransport() as never]),
  ],
  [
    '@chainsafe/libp2p-yamux',
    'sendWindowUpdate',
    () => {
      const muxer = new MuxerOfStrangers() as never
      const strange = amended(() => ({ protocol: '', createStreamMuxer: () => muxer }), [ofStreams(() => {})])
      ;(strange({}).createStreamMuxer(muxer) as unknown as MuxerOfStrangers)._newStream()
    },
  ],
  [
    '@chainsafe/libp2p-yamux',
    'decoder.readFrame',
    stranger =>
      amended(
        () => ({ protocol: '', createStreamMuxer: () => stranger }),
        [],
      )({}).createStreamMuxer(stranger),
  ],
  ['@libp2p/websockets', '_connect', explainDials],
  [
    '@libp2p/websockets',
    'wsServer.options',
    stranger => boundListener(stranger, { maxConnections: 1, keepAliveMs: 1 }),
  ],
]

describe('a patch', () => {
  for (const [packageName, member, apply] of patches)
    it(`of ${packageName} throws where there is no ${member}`, () => {
      assert.throws(
        () => apply(new Stranger() as never),
        (error: Error & { missing: string[]; packageName: string; version: string }) => {
          assert.equal(error.name, 'UpstreamChangedError')
          assert.equal(error.packageName, packageName)
          assert.equal(error.version, versionOf(packageName))
          assert.ok(error.missing.includes(member), String(error.missing))
          assert.ok(error.message.includes(`${packageName} ${error.version} has no`), error.message)
          return true
        },
      )
    })
})

describe('a shape', () => {
  it('is looked at once for each class', () => {
    let looked = 0
    class Known {
      get member(): () => void {
        looked++
        return () => {}
      }
    }
    const check = shapeCheck('libp2p', { member: 'function' })
    check(new Known())
    check(new Known())
    assert.equal(looked, 1)
  })

  it('takes null for missing', () => {
    const check = shapeCheck('libp2p', { member: 'object' })
    assert.throws(() => check({ member: null }), { name: 'UpstreamChangedError' })
    check({ member: {} })
  })
})
