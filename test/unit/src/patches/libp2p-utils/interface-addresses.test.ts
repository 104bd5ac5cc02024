import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { spawnSync } from 'node:child_process'
import { multiaddr } from '@multiformats/multiaddr'
import { keepAddresses } from '../../../../../src/patches/libp2p-utils/interface-addresses.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Listener } from '@libp2p/interface'

const ADDR = multiaddr('/ip4/192.0.2.1/tcp/4001')

/** In a process that opens all descriptors that it may. Prints the error code. */
const WITHOUT_DESCRIPTORS = `
  import { openSync } from 'node:fs'
  import { getThinWaistAddresses } from '@libp2p/utils'
  import { multiaddr } from '@multiformats/multiaddr'
  const any = multiaddr('/ip4/0.0.0.0/tcp/1')
  getThinWaistAddresses(any)
  try { for (;;) openSync('/dev/null') } catch {}
  let code = 'none'
  try { getThinWaistAddresses(any) } catch (error) { code = error.code }
  process.exitCode = code === 'ERR_SYSTEM_ERROR' ? 42 : 0
`

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0

describe('@libp2p/utils', () => {
  const options = { skip: !hasPrlimit && 'needs prlimit of util-linux', timeout: 30_000 }
  it('throws when it is asked for addresses without a free descriptor, which is the fault', options, () => {
    const args = ['--nofile=64', process.execPath, '--input-type=module', '-e', WITHOUT_DESCRIPTORS]
    assert.equal(spawnSync('prlimit', args, { cwd: import.meta.dirname }).status, 42)
  })
})

describe('keepAddresses()', () => {
  it('has a listener tell what it told before, when the system does not answer', () => {
    let error: Error | undefined
    const listener = keepAddresses(listenerThat(() => error))
    assert.deepEqual(listener.getAddrs(), [ADDR])
    error = Object.assign(new Error('EMFILE'), { code: 'ERR_SYSTEM_ERROR' })
    assert.deepEqual(listener.getAddrs(), [ADDR])
    error = undefined
    assert.deepEqual(listener.getAddrs(), [ADDR])
  })

  it('passes on any other error', () => {
    const listener = keepAddresses(listenerThat(() => new TypeError('other')))
    assert.throws(() => listener.getAddrs(), TypeError)
  })

  refusesWithout('@libp2p/utils', { getAddrs: () => [] }, keepAddresses)
})

function listenerThat(fails: () => Error | undefined): Listener {
  const getAddrs = (): unknown => {
    const error = fails()
    if (error !== undefined) throw error
    return [ADDR]
  }
  return { getAddrs } as unknown as Listener
}
