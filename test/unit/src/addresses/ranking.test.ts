/** Which addresses are announced by a machine that has more of them than a message holds. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { announceFilter, fitting, usefulFirst } from '../../../../src/addresses/ranking.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Interfaces } from '../../../../src/addresses/interfaces.ts'

const SELF = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'

const count = (length: number): number[] => Array.from({ length }, (_, i) => i)
const v4 = (host: string, port = 4001): string => `/ip4/${host}/tcp/${port}`
const v6 = (host: string): string => `/ip6/${host}/tcp/4001`

/** Interfaces with these addresses; those named lead to the rest of the network. */
function interfacesOf(hosts: Record<string, string[]>, leading: string[] = []): Interfaces {
  const names = new Map(Object.entries(hosts).flatMap(([name, list]) => list.map(host => [host, name])))
  return { nameOf: host => names.get(host), hasDefaultRoute: name => leading.includes(name) }
}

const order = (addrs: string[], interfaces: Interfaces = interfacesOf({})): string[] =>
  usefulFirst(
    addrs.map(it => multiaddr(it)),
    interfaces,
  ).map(String)

/** A host of Kubernetes: a LAN address, a bridge for each of 100 networks, and 200 service addresses on one interface. */
const kubernetes = {
  lo: ['127.0.0.1', '::1'],
  'kube-ipvs0': count(200).map(i => `10.96.0.${i}`),
  ...Object.fromEntries(count(100).map(i => [`br-${i}`, [`172.18.${i}.1`]])),
  eth0: ['192.168.4.2', 'fd00::2'],
}
const kubernetesAddrs = Object.values(kubernetes).flatMap(list =>
  list.map(host => (host.includes(':') ? v6(host) : v4(host))),
)

describe('addresses', () => {
  it('are public first, then private, then loopback, then the rest', () => {
    const addrs = [v4('127.0.0.1'), v6('fe80::1'), v4('10.0.0.1'), v6('::1'), v6('fd00::1'), v4('8.8.8.8')]
    assert.deepEqual(order(addrs), [
      v4('8.8.8.8'),
      v4('10.0.0.1'),
      v6('fd00::1'),
      v4('127.0.0.1'),
      v6('::1'),
      v6('fe80::1'),
    ])
  })

  it('that no interface has come first: they were announced, mapped or observed', () => {
    const interfaces = interfacesOf({ eth0: ['11.0.0.1', '11.0.0.2'] }, ['eth0'])
    const [own, other, mapped] = [v4('11.0.0.1'), v4('11.0.0.2'), v4('11.9.9.9')]
    const name = '/dns4/relay.example/tcp/443/tls/ws'
    assert.deepEqual(order([own, other, mapped, name], interfaces), [mapped, name, own, other])
  })

  it('of the interface with the default route come before those of bridges and services', () => {
    const [first, second] = order(kubernetesAddrs, interfacesOf(kubernetes, ['eth0']))
    assert.deepEqual([first, second], [v4('192.168.4.2'), v6('fd00::2')])
  })

  it('of an interface with hundreds do not stand before the first of another', () => {
    const ordered = order(kubernetesAddrs, interfacesOf(kubernetes))
    const place = ordered.indexOf(v4('192.168.4.2'))
    assert.ok(place <= 101, `the address of the LAN is number ${place}`)
  })

  it('of a node come before circuits to it, and public circuits before private addresses', () => {
    const circuit = `${v4('11.0.0.1')}/p2p/${RELAY}/p2p-circuit`
    const interfaces = interfacesOf({ eth0: ['11.9.9.9', '10.0.0.1'] })
    const [outside, inside] = [v4('11.9.9.9'), v4('10.0.0.1')]
    assert.deepEqual(order([inside, circuit, outside], interfaces), [outside, circuit, inside])
  })

  it('of two listeners count by themselves', () => {
    const interfaces = interfacesOf({ eth0: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] })
    const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
    const addrs = [...hosts.map(host => v4(host)), ...hosts.map(host => `${v4(host, 443)}/ws`)]
    assert.deepEqual(order(addrs, interfaces).slice(0, 2), [v4('10.0.0.1'), `${v4('10.0.0.1', 443)}/ws`])
  })

  it('keep their order where nothing tells them apart', () => {
    const addrs = count(20).map(i => v4(`11.0.0.${i}`))
    assert.deepEqual(order(addrs), addrs)
  })

  it('without a host come last and are no error', () => {
    assert.deepEqual(order([`/p2p/${SELF}`, v4('127.0.0.1')]), [v4('127.0.0.1'), `/p2p/${SELF}`])
  })
})

describe('a list with little room', () => {
  const few = (addrs: string[], room: number): string[] =>
    fitting(
      addrs.map(it => multiaddr(it)),
      room,
      () => 1,
    ).map(String)

  it('has all that fits', () => assert.equal(few(kubernetesAddrs, kubernetesAddrs.length).length, 304))

  it('has the first ones, in their order', () => {
    const addrs = count(20).map(i => v4(`11.0.0.${i}`))
    assert.deepEqual(few(addrs, 8), addrs.slice(0, 8))
  })

  for (const [first, then] of [
    [(i: number) => v4(`11.0.0.${i}`), (i: number) => v6(`2a00::${i + 1}`)],
    [(i: number) => v6(`2a00::${i + 1}`), (i: number) => v4(`11.0.0.${i}`)],
  ] as const) {
    it(`keeps ${then(0)} beside 100 such as ${first(0)}`, () => {
      const chosen = few([...count(100).map(first), ...count(100).map(then)], 8)
      assert.deepEqual(chosen, [...count(6).map(first), ...count(2).map(then)])
    })
  }

  it('has nothing where there is no room', () => assert.deepEqual(few([v4('11.0.0.1')], 0), []))

  it('leaves out one that is too long, and not those behind it', () => {
    const addrs = [`/dns4/${'long.'.repeat(40)}example/tcp/1`, v4('11.0.0.1')].map(it => multiaddr(it))
    const chosen = fitting(addrs, 50, addr => addr.bytes.byteLength)
    assert.deepEqual(chosen.map(String), [v4('11.0.0.1')])
  })
})

describe('what a node announces', () => {
  const announce = (addrs: string[], isChosen = false): Multiaddr[] =>
    announceFilter(isChosen)(addrs.map(it => multiaddr(`${it}/p2p/${SELF}`)))
  const bytesOf = (addrs: Multiaddr[]): number =>
    addrs.reduce((sum, addr) => sum + addr.decapsulate(`/p2p/${SELF}`).bytes.byteLength, 0)

  it('is all of a few addresses', () => assert.equal(announce(kubernetesAddrs.slice(0, 50)).length, 50))

  it('is nothing where there are none', () => assert.deepEqual(announce([]), []))

  const machines: Record<string, string[]> = {
    'a host of Kubernetes': kubernetesAddrs,
    '600 public IPv4 addresses': count(600).map(i => v4(`11.0.${i >> 8}.${i & 255}`)),
    '600 public IPv6 addresses': count(600).map(i => v6(`2a00::${i.toString(16)}`)),
    '100 circuits': count(100).map(i => `${v4(`11.0.0.${i}`)}/p2p/${RELAY}/p2p-circuit`),
    '100 names': count(100).map(i => `/dns4/relay-${i}.eu-west.example.org/tcp/443/tls/ws`),
  }
  for (const [machine, addrs] of Object.entries(machines)) {
    it(`is at most 900 bytes, and not much less, of ${machine}`, () => {
      const bytes = bytesOf(announce(addrs))
      assert.ok(bytes <= 900 && bytes > 450, `${bytes} bytes`)
    })
  }

  it('has circuits beside hundreds of addresses of its own, and the other way round', () => {
    const circuit = `${v4('11.0.0.1')}/p2p/${RELAY}/p2p-circuit`
    for (const addrs of [
      [...machines['600 public IPv4 addresses']!, circuit],
      [...machines['100 circuits']!, v4('11.9.9.9')],
    ])
      assert.ok(announce(addrs).some(addr => addr.toString().startsWith(addrs.at(-1)!)))
  })

  it('keeps the order in which a person listed public addresses', () => {
    const addrs = [v4('127.0.0.1'), '/dns4/relay.example/tcp/443/tls/ws', v4('11.0.0.1'), v4('10.0.0.1')]
    assert.deepEqual(
      announce(addrs, true).map(addr => addr.decapsulate(`/p2p/${SELF}`).toString()),
      [addrs[1], addrs[2], addrs[3], addrs[0]],
    )
  })
})
