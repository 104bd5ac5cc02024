/** A patch fails loudly where the library is built otherwise. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { shapeCheck } from '../../../../src/patches/expect-shape.ts'
import { boundListener } from '../../../../src/patches/libp2p-websockets/pre-handshake-bounds.ts'
import { keepAlive, watchOver } from '../../../../src/transport/keep-alive.ts'

function versionOf(name: string): string {
  const path = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

class Stranger {
  readonly socket = {}
}

const patches: Array<[packageName: string, missing: string, apply: (stranger: never) => unknown]> = [
  ['@libp2p/tcp', 'socket.setKeepAlive', keepAlive],
  ['@libp2p/tcp', 'socket.setKeepAlive', watchOver],
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
