import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPrivateIp } from '@libp2p/utils'
import * as plan from '../../lab/net/addresses.ts'

describe("the lab's address plan", () => {
  it('gives sites addresses that libp2p takes for public', () => {
    for (const site of [1, 16, plan.MAX_SITES]) {
      assert.equal(isPrivateIp(plan.siteAddress(site)), false)
      assert.equal(isPrivateIp(plan.siteAddress6(site)), false)
      assert.equal(isPrivateIp(plan.lanAddress(site, 2, true)), false)
      assert.equal(isPrivateIp(plan.lanAddress6(site, 2)), false)
    }
  })

  it('gives hosts behind a NAT addresses that libp2p takes for private', () => {
    assert.equal(isPrivateIp(plan.lanAddress(7, 2, false)), true)
    assert.equal(isPrivateIp(plan.carrierAddress(7, 8)), true)
  })

  it('keeps the forwarder able to tell the site from the address', () => {
    // wan.py reads the third byte of an IPv4 address and the sixth of an IPv6 address.
    assert.equal(plan.siteAddress(16).split('.')[2], '16')
    assert.equal(plan.lanAddress(16, 2, true).split('.')[2], '16')
    assert.equal(plan.siteAddress6(16).split(':')[2], '10')
    assert.equal(plan.lanAddress6(16, 2).split(':')[2], '10')
  })
})
