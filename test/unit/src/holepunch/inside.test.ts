/** Which addresses inside the network, and on the host, are dialled because a remote peer has named them. */

import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { insideRule } from '../../../../src/holepunch/inside.ts'
import { isOwnHost, isOwnNetwork, localInterfaces } from '../../../../src/addresses/interfaces.ts'
import { portsOfClients } from '../../../../src/transport/relay-clients.ts'
import { once } from '../../../waits.ts'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from 'node:test'
import type { Interfaces } from '../../../../src/addresses/interfaces.ts'

const RELAY = { host: '11.0.0.1', port: 4001 }

/** The port that a peer on this host dials its relay from. */
const PEER_PORT = 5001

/** A machine with an address in a private and in a public network of each family. */
const NETWORKS = ['192.168.1.', 'fd00:1::', '11.7.0.', '2a0f:1::']
const interfaces: Interfaces = {
  nameOf: host => (NETWORKS.map(it => `${it}2`).includes(host) ? 'eth0' : undefined),
  hasDefaultRoute: () => true,
  hasNetworkOf: host => NETWORKS.some(it => host.startsWith(it)),
}

interface Row {
  what: string
  host: string
  port?: number
  /** Dialled for a stranger, and for a peer that this node has chosen. */
  stranger: boolean
  chosen: boolean
}

const rows: Row[] = [
  { what: 'a neighbour', host: '192.168.1.50', stranger: false, chosen: true },
  { what: 'a neighbour by IPv6', host: 'fd00:1::50', stranger: false, chosen: true },
  { what: 'another private network', host: '192.168.2.50', stranger: false, chosen: false },
  { what: 'another private network by IPv6', host: 'fd00:2::50', stranger: false, chosen: false },
  { what: 'a large private network', host: '10.0.0.1', stranger: false, chosen: false },
  { what: 'a carrier NAT', host: '100.64.0.1', stranger: false, chosen: false },
  { what: 'the metadata service', host: '169.254.169.254', stranger: false, chosen: false },
  { what: 'a program on loopback', host: '127.0.0.1', stranger: false, chosen: false },
  { what: 'a program on IPv6 loopback', host: '::1', stranger: false, chosen: false },
  { what: 'a program at an address of this host', host: '192.168.1.2', stranger: false, chosen: false },
  { what: 'a peer on loopback', host: '127.0.0.1', port: PEER_PORT, stranger: true, chosen: true },
  {
    what: 'a peer at an address of this host',
    host: '192.168.1.2',
    port: PEER_PORT,
    stranger: true,
    chosen: true,
  },
  {
    what: 'a neighbour at the port of a peer',
    host: '192.168.1.50',
    port: PEER_PORT,
    stranger: false,
    chosen: true,
  },
  { what: 'a public address', host: '9.9.9.9', stranger: true, chosen: true },
  { what: 'a public IPv6 address', host: '2600::9', stranger: true, chosen: true },
  { what: 'a neighbour with a public address', host: '11.7.0.50', stranger: false, chosen: true },
  { what: 'a neighbour with a public IPv6 address', host: '2a0f:1::50', stranger: false, chosen: true },
  { what: 'a program at a public address of this host', host: '11.7.0.2', stranger: false, chosen: false },
  {
    what: 'a program at a public IPv6 address of this host',
    host: '2a0f:1::2',
    stranger: false,
    chosen: false,
  },
  {
    what: 'a peer at a public address of this host',
    host: '2a0f:1::2',
    port: PEER_PORT,
    stranger: true,
    chosen: true,
  },
  { what: 'a name', host: 'localhost', stranger: false, chosen: false },
]

describe('an address inside', () => {
  for (const { what, host, port = 8080, ...expected } of rows)
    for (const who of ['stranger', 'chosen'] as const)
      it(`is ${expected[who] ? '' : 'not '}dialled for a ${who} peer where it is ${what}`, () => {
        const ports = (): ReadonlySet<number> => new Set([PEER_PORT])
        const rule = insideRule({
          isChosen: who === 'chosen',
          relay: RELAY,
          portsOfClients: ports,
          interfaces,
        })
        assert.equal(rule({ host, port }), expected[who])
      })

  it('of this host is not loopback where the system shows no table of connections, and the peer must be chosen', () => {
    for (const [isChosen, host, expected] of [
      [true, '127.0.0.1', false],
      [true, '192.168.1.2', true],
      [false, '192.168.1.2', false],
    ] as const) {
      const rule = insideRule({ isChosen, relay: RELAY, portsOfClients: () => undefined, interfaces })
      assert.equal(rule({ host, port: PEER_PORT }), expected, host)
    }
  })

  it('costs one look at the table of connections, and none for addresses of others', () => {
    let looks = 0
    const ports = (): ReadonlySet<number> => {
      looks++
      return new Set()
    }
    const rule = insideRule({ isChosen: false, relay: RELAY, portsOfClients: ports, interfaces })
    rule({ host: '192.168.1.50', port: 1 })
    assert.equal(looks, 0)
    for (let port = 1; port < 100; port++) rule({ host: '127.0.0.1', port })
    assert.equal(looks, 1)
  })
})

describe('the clients of a relay on this host', { skip: process.platform !== 'linux' }, () => {
  it('are found by the port that they dial from; what only listens is not found', async t => {
    const [relay, other] = [await listen(t), await listen(t)]
    const [peer, stranger] = [await dial(t, relay), await dial(t, other)]
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const ports = portsOfClients({ host, port: relay })
      assert.equal(ports?.has(peer), true)
      for (const port of [stranger, relay, other]) assert.equal(ports?.has(port), false)
    }
  })

  it('are not found for a relay elsewhere with the same port', async t => {
    const relay = await listen(t)
    const peer = await dial(t, relay)
    assert.equal(portsOfClients({ host: '11.0.0.1', port: relay })?.has(peer), false)
  })
})

describe('this machine', () => {
  it('has loopback and its interfaces, and no others', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1']) assert.equal(isOwnHost(host), true, host)
    for (const host of ['10.255.255.254', '9.9.9.9', 'fd99::1', 'localhost'])
      assert.equal(isOwnHost(host), false, host)
  })

  it('has no network that is loopback, and none of a name', () => {
    assert.ok(localInterfaces().hasNetworkOf !== undefined)
    for (const host of ['127.0.0.1', '::1', '9.9.9.9', 'localhost', ''])
      assert.equal(isOwnNetwork(host), false, host)
  })
})

/** Listens on loopback. Resolves with the port. */
async function listen(t: TestContext): Promise<number> {
  const server: Server = createServer(socket => socket.on('error', () => {}))
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Connects to a port. Resolves with the local port. */
async function dial(t: TestContext, port: number): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket.localPort ?? 0
}
