import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { parseAddresses, parseInPlace } from '../../../../src/addresses/parse-addresses.ts'

const ADDR = multiaddr('/ip4/11.0.0.1/tcp/4001').bytes
const BROKEN = Uint8Array.of(4, 1)
const times = (count: number, bytes: Uint8Array): Uint8Array[] => Array.from({ length: count }, () => bytes)

describe('parseAddresses()', () => {
  it('parses so many as it may', () => assert.equal(parseAddresses(times(20, ADDR), 16).length, 16))

  it('leaves broken addresses out', () =>
    assert.deepEqual(parseAddresses([BROKEN, ADDR, BROKEN], 16).map(String), ['/ip4/11.0.0.1/tcp/4001']))

  it('looks at none after eight broken ones', () => {
    assert.equal(parseAddresses([...times(7, BROKEN), ADDR], 16).length, 1)
    assert.equal(parseAddresses([...times(8, BROKEN), ADDR], 16).length, 0)
  })
})

describe('parseInPlace()', () => {
  it('leaves each address at its place', () =>
    assert.deepEqual(parseInPlace([BROKEN, ADDR]).map(String), ['undefined', '/ip4/11.0.0.1/tcp/4001']))
})
