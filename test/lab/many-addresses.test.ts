/** Hosts with hundreds of addresses: container bridges, service addresses, IPv6 beside IPv4. */

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { Command, isEvent } from './command.ts'
import { createNetwork } from './net/network.ts'
import type { TestContext } from 'node:test'
import type { Host } from './net/network.ts'

const LIMIT = { timeout: 120_000 }

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-lab-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Gives a host an interface with this many addresses of each family. */
async function addAddresses(host: Host, count: number, { ipv6 }: { ipv6: boolean }): Promise<void> {
  await host.namespace.ip([
    'link add many0 type veth peer name many1',
    'link set many1 up',
    'link set many0 up',
  ])
  const addrs = Array.from({ length: count }, (_, i) => [
    `addr add 10.99.${i}.1/24 dev many0`,
    ...(ipv6 ? [`addr add fd99:0:0:${i.toString(16)}::1/64 dev many0 nodad`] : []),
  ])
  await host.namespace.ip(addrs.flat())
}

for (const { count, ipv6 } of [
  { count: 100, ipv6: false },
  { count: 200, ipv6: true },
]) {
  it(
    `a relay with ${count} addresses${ipv6 ? ' of each family' : ''} and none that is public grants a reservation, over which peers meet`,
    LIMIT,
    async t => {
      await using net = await createNetwork({ delayMs: 5 })
      const nat = await net.addNat('office', 'eim-apdf-drop')
      const [host, listenerHost, dialerHost] = [
        await net.addHost('relay', { behind: nat }),
        await net.addHost('listener', { behind: nat }),
        await net.addHost('dialer', { behind: nat }),
      ]
      await addAddresses(host, count, { ipv6 })
      const relay = new Command(host, 'throughnat-relay', ['--data-dir', await directory(t)])
      const { peerId, addrs } = await relay.event(isEvent('relay:ready'))
      const told = (addrs as string[]).map(it => it.split('/')[2])
      assert.equal(told[0], host.address)
      assert.equal(
        told.some(it => it?.startsWith('fd99:')),
        ipv6,
      )

      const addr = `/ip4/${host.address}/tcp/4001/p2p/${String(peerId)}`
      await addAddresses(listenerHost, count, { ipv6 })
      const listener = new Command(listenerHost, 'throughnat', [
        'listen',
        '--relay',
        addr,
        '--data-dir',
        await directory(t),
      ])
      const granted = await listener.event(isEvent('reservation:granted'))
      const args = ['ping', String(granted['addr']), '--until-direct', '--timeout', '30s']
      const ping = new Command(dialerHost, 'throughnat', args)
      const { path } = await ping.event(isEvent('summary'))
      assert.equal(path, 'direct')
      for (const command of [relay, listener, ping]) command.kill()
    },
  )
}
