/** Which source addresses may be those of a proxy. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { mayBeProxy, readSurroundings } from '../../../../relay/dial-back/proxies.ts'
import { peer } from '../peers.ts'
import type { Connection } from '@libp2p/interface'
import type { SourceInit } from '../../../../relay/dial-back/proxies.ts'

const INIT: SourceInit = {
  own: [multiaddr('/ip4/10.0.0.2/tcp/4001'), multiaddr('/ip4/198.51.100.1/tcp/4001')],
  connections: [],
  surroundings: {
    interfaces: ['127.0.0.1/8', '::1/128', '10.0.0.2/24', 'fd00::2/64', '2606:4700::2/64'],
    gateways: ['10.0.0.1', 'fe80:0000:0000:0000:0000:0000:0000:0001'],
  },
  isOwnHostAllowed: false,
}

function from(ip: string, id = 0): Connection {
  const addr = `/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/50000`
  return { remotePeer: peer(id), remoteAddr: multiaddr(addr) } as Connection
}

describe('a source address', () => {
  for (const [what, ip] of [
    ['on loopback', '127.0.0.1'],
    ['elsewhere on loopback', '127.9.9.9'],
    ['on loopback, over IPv6', '::1'],
    ['on loopback, written as IPv6', '::ffff:127.0.0.1'],
    ['of an interface', '10.0.0.2'],
    ['of an interface, over IPv6', 'fd00::2'],
    ['of an interface, that is public', '2606:4700::2'],
    ['that the relay announces', '198.51.100.1'],
    ['of the gateway', '10.0.0.1'],
    ['of the gateway, over IPv6', 'fe80::1'],
    ['that is private and in another subnet', '10.0.1.7'],
    ['that is private and in another network', '192.168.1.7'],
    ['of a carrier in another subnet', '100.64.0.7'],
    ['that is unique local and in another subnet', 'fd00:0:0:1::7'],
  ] as const)
    it(`${what} may be a proxy's`, () => assert.equal(mayBeProxy(from(ip), INIT), true))

  for (const [what, ip] of [
    ['of a neighbour', '10.0.0.7'],
    ['of a neighbour, over IPv6', 'fd00::7'],
    ['that is public', '11.22.33.44'],
    ['that is public, over IPv6', '2606:4700::7'],
  ] as const)
    it(`${what} is that of one host`, () => assert.equal(mayBeProxy(from(ip), INIT), false))

  it("of a neighbour may be a proxy's if another peer has it, too", () => {
    const requester = from('10.0.0.7', 1)
    const others = [from('10.0.0.8', 2), from('10.0.0.7', 1), from('11.22.33.44', 3)]
    assert.equal(mayBeProxy(requester, { ...INIT, connections: others }), false)
    assert.equal(mayBeProxy(requester, { ...INIT, connections: [...others, from('10.0.0.7', 4)] }), true)
  })

  it('that is public may be shared by peers behind one NAT', () => {
    const connections = [from('11.22.33.44', 1), from('11.22.33.44', 2)]
    assert.equal(mayBeProxy(from('11.22.33.44', 3), { ...INIT, connections }), false)
  })

  it('of this host is accepted where that is allowed, and that of the gateway is not', () => {
    const init = { ...INIT, isOwnHostAllowed: true, connections: [from('127.0.0.1', 1)] }
    assert.equal(mayBeProxy(from('127.0.0.1'), init), false)
    assert.equal(mayBeProxy(from('10.0.0.1'), init), true)
  })

  it('that is a name may be anything', () => {
    const remoteAddr = multiaddr('/dns4/relay.example/tcp/1')
    assert.equal(mayBeProxy({ remotePeer: peer(0), remoteAddr } as Connection, INIT), true)
  })

  it('is judged by the interfaces of this host', () => {
    assert.ok(readSurroundings().interfaces.some(it => it.startsWith('127.0.0.1/')))
  })
})
