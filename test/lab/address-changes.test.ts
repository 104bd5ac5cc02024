/** Relays whose host gets its addresses late, loses them or gets others, and peers whose host gets another router. */

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Command, isEvent } from './command.ts'
import { createNetwork } from './net/network.ts'
import { Remote } from './remote.ts'
import type { TestContext } from 'node:test'
import type { CommandEvent } from './command.ts'
import type { Host } from './net/network.ts'

const LIMIT = { timeout: 90_000 }

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-lab-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Starts a relay on a host. */
async function startRelay(t: TestContext, host: Host, args: readonly string[] = []): Promise<Command> {
  const relay = new Command(host, 'throughnat-relay', ['--data-dir', await directory(t), ...args])
  t.after(() => relay.kill())
  return relay
}

/** The hosts in an event's addresses. */
const hostsIn = ({ addrs }: CommandEvent): string[] =>
  (addrs as string[]).map(addr => addr.split('/')[2] ?? '')

/** Has the relay announced exactly these hosts, in whatever order? */
const announces =
  (...hosts: string[]) =>
  (event: CommandEvent): boolean =>
    event.event === 'addresses:changed' && hostsIn(event).toSorted().join() === hosts.toSorted().join()

/** Takes a host's addresses away; the result gives them back, as a DHCP client and a router advertisement do after boot. */
async function unplug(host: Host): Promise<() => Promise<void>> {
  const prefixes: string[] = []
  const routes: string[] = []
  for (const family of ['-4', '-6']) {
    const addrs = await host.exec('ip', [family, '-o', 'addr', 'show', 'dev', host.device, 'scope', 'global'])
    prefixes.push(...[...addrs.stdout.matchAll(/inet6? (\S+(?: peer \S+)?)/g)].map(([, prefix]) => prefix!))
    const { stdout } = await host.exec('ip', [family, 'route', 'show', 'default'])
    routes.push(...stdout.split('\n').flatMap(it => it.match(/^default via \S+/)?.[0] ?? []))
  }
  await host.namespace.ip(prefixes.map(prefix => `addr del ${prefix} dev ${host.device}`))
  return async () => {
    await host.namespace.ip(prefixes.map(prefix => `addr add ${prefix} dev ${host.device}`))
    await host.namespace.ip(routes.map(route => `route replace ${route} dev ${host.device} onlink`))
  }
}

const LOOPBACK = ['127.0.0.1', '::1']

describe('a relay', { concurrency: 2 }, () => {
  it('that starts before its host has an address gives the address out when it comes', LIMIT, async t => {
    await using net = await createNetwork({ delayMs: 5 })
    const [host, stockHost] = [await net.addHost('relay'), await net.addHost('stock')]
    const plugIn = await unplug(host)
    const relay = await startRelay(t, host)
    const ready = await relay.event(isEvent('relay:ready'))
    assert.deepEqual(hostsIn(ready).toSorted(), LOOPBACK)

    await plugIn()
    const { addrs } = await relay.event(announces(...LOOPBACK, ...host.addresses))
    assert.deepEqual(
      hostsIn({ addrs } as never)
        .slice(0, 2)
        .toSorted(),
      host.addresses.toSorted(),
    )
    const stock = new Remote(stockHost, 'plain-agent', ['stock'])
    const addr = (addrs as string[]).find(it => it.includes(host.address))
    const circuits = await stock.do<{ addrs: string[] }>('peer', {
      name: 'stock',
      relays: [addr],
      reserve: true,
    })
    assert.ok(
      circuits.addrs.some(it => it.startsWith(`${addr}/p2p-circuit`)),
      circuits.addrs.join(' '),
    )
    stock.stop()
  })

  it(
    'takes an address back that its host has lost, and gives out the one that it has instead',
    LIMIT,
    async t => {
      await using net = await createNetwork({ delayMs: 5 })
      const host = await net.addHost('relay')
      const relay = await startRelay(t, host)
      await relay.event(isEvent('relay:ready'))
      await host.namespace.ip([`addr add 10.77.0.1/24 dev ${host.device}`])
      // a private address beside public ones is announced, too, after them
      const more = await relay.event(announces(...LOOPBACK, ...host.addresses, '10.77.0.1'))
      assert.equal(hostsIn(more)[2], '10.77.0.1')
      await unplug(host)
      await relay.event(announces(...LOOPBACK))
    },
  )

  it('says nothing of an interface that brings no address that it listens on', LIMIT, async t => {
    await using net = await createNetwork({ delayMs: 5 })
    const host = await net.addHost('relay')
    const relay = await startRelay(t, host, ['--listen', `/ip4/${host.address}/tcp/4001`])
    await relay.event(isEvent('relay:ready'))
    await host.namespace.ip([`addr add 10.77.0.1/24 dev ${host.device}`, `addr add 10.77.0.2/24 dev lo`])
    await assert.rejects(relay.event(isEvent('addresses:changed'), { withinMs: 3_000 }))
  })

  it('listens on an IPv6 address that its host gets after it has started', LIMIT, async t => {
    await using net = await createNetwork({ delayMs: 5 })
    const host = await net.addHost('relay')
    const late = '2a0f:fade:77::1'
    const listen = ['--listen', '/ip4/0.0.0.0/tcp/4001', '--listen', `/ip6/${late}/tcp/4001`]
    const relay = await startRelay(t, host, listen)
    const { peerId, missingAddrs } = await relay.event(isEvent('relay:ready'))
    assert.deepEqual(missingAddrs, [`/ip6/${late}/tcp/4001`])
    await host.exec('sysctl', [
      '-qw',
      `net.ipv6.conf.${host.device}.accept_dad=1`,
      `net.ipv6.conf.all.accept_dad=1`,
    ])
    await host.namespace.ip([`addr add ${late}/64 dev ${host.device}`])
    const changed = await relay.event(
      event => event.event === 'addresses:changed' && hostsIn(event).includes(late),
    )
    assert.equal(hostsIn(changed).indexOf(late) < 2, true)
    const listener = new Command(host, 'throughnat', [
      'listen',
      '--relay',
      `/ip6/${late}/tcp/4001/p2p/${String(peerId)}`,
      '--data-dir',
      await directory(t),
    ])
    t.after(() => listener.kill())
    await listener.event(isEvent('reservation:granted'))
  })
})

describe('a peer', { concurrency: 2 }, () => {
  for (const [family, gateway] of [
    ['IPv4', '11.0.77.77'],
    ['IPv6', 'fe80::77'],
  ] as const) {
    it(`notices that its host has another ${family} router, with the same addresses`, LIMIT, async t => {
      await using net = await createNetwork({ delayMs: 5 })
      const host = await net.addHost('peer')
      const nowhere = '/ip4/11.0.99.1/tcp/4001/p2p/12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
      const peer = new Command(host, 'throughnat', [
        'listen',
        '--relay',
        nowhere,
        '--data-dir',
        await directory(t),
      ])
      t.after(() => peer.kill())
      await peer.event(isEvent('reservation:failed'))
      await host.namespace.ip([`route replace default via ${gateway} dev ${host.device} onlink`])
      await peer.event(isEvent('network:changed', { change: 'routes' }))
    })
  }
})
