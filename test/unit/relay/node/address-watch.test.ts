/** What a relay announces while the interfaces of its host change. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { describe, it, mock } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { AddressWatch } from '../../../../relay/node/address-watch.ts'
import type { TestContext } from 'node:test'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { RelayEvents } from '../../../../relay/events.ts'

const LIMIT = { timeout: 20_000 }

let hosts: string[] = []
const interfaces = (): NodeJS.Dict<os.NetworkInterfaceInfo[]> => ({
  eth0: hosts.map(address => ({ address }) as os.NetworkInterfaceInfo),
})
mock.method(os, 'networkInterfaces', interfaces)
syncBuiltinESMExports()

const addrOf = (host: string): Multiaddr => multiaddr(`/ip${host.includes(':') ? 6 : 4}/${host}/tcp/4001`)

/** A node that listens on all IPv4 addresses of the host, announces the private ones and those that are vouched for, and fails to listen so many times. */
function createWatch(t: TestContext, { listen = ['/ip4/0.0.0.0/tcp/4001'], failures = 0 } = {}) {
  const vouched = new Set<string>()
  const single = new Set<string>()
  const attempts: string[] = []
  const getAddrs = (): Multiaddr[] =>
    hosts.filter(host => !host.includes(':') || single.has(host)).map(addrOf)
  const components = {
    transportManager: {
      getAddrs,
      listen: async (addrs: Multiaddr[]): Promise<void> => {
        attempts.push(addrs.join())
        if (attempts.length <= failures) throw new Error('EADDRNOTAVAIL')
        for (const addr of addrs) single.add(addr.toString().split('/')[2]!)
      },
    },
    addressManager: {
      confirmObservedAddr: (addr: Multiaddr) => vouched.add(addr.toString()),
      getAddresses: () =>
        getAddrs().filter(addr => addr.toString().startsWith('/ip4/10.') || vouched.has(addr.toString())),
    },
  }
  const events = new TypedEventEmitter<RelayEvents>()
  const watch = new AddressWatch(components as never, { listen, events })
  t.after(() => watch.stop())
  watch.watch()
  const changed = async (): Promise<string[]> => {
    const signal = AbortSignal.timeout(10_000)
    const [{ detail }] = (await once(events, 'addresses:changed', { signal })) as [
      RelayEvents['addresses:changed'],
    ]
    return detail.addrs.map(String)
  }
  return { watch, changed, attempts }
}

describe('a relay', () => {
  it('vouches for a public address that its host gets, and reports it', LIMIT, async t => {
    hosts = ['10.0.0.1']
    const { watch, changed } = createWatch(t)
    assert.deepEqual(watch.list().map(String), ['/ip4/10.0.0.1/tcp/4001'])
    const change = changed()
    hosts = ['10.0.0.1', '11.0.0.1']
    assert.deepEqual(await change, ['/ip4/10.0.0.1/tcp/4001', '/ip4/11.0.0.1/tcp/4001'])
    assert.equal(watch.list().length, 2)
  })

  it('reports an address that its host has lost, and one that came in its place', LIMIT, async t => {
    hosts = ['10.0.0.1']
    const { changed } = createWatch(t)
    const change = changed()
    hosts = ['10.0.0.2']
    assert.deepEqual(await change, ['/ip4/10.0.0.2/tcp/4001'])
    const loss = changed()
    hosts = []
    assert.deepEqual(await loss, [])
  })

  it(
    'listens on an address of its list when its host gets it, also if that takes several attempts',
    LIMIT,
    async t => {
      hosts = ['10.0.0.1']
      const late = '/ip6/2a00::1/tcp/4001'
      const listen = ['/ip4/0.0.0.0/tcp/4001', late]
      const { watch, changed, attempts } = createWatch(t, { listen, failures: 1 })
      assert.deepEqual(watch.missing.map(String), [late])
      const change = changed()
      hosts = ['10.0.0.1', '2a00::1']
      assert.deepEqual(await change, ['/ip4/10.0.0.1/tcp/4001', late])
      assert.deepEqual([attempts, watch.missing], [[late, late], []])
    },
  )

  it('does not listen on an address that its host does not have', LIMIT, async t => {
    hosts = ['10.0.0.1']
    const { changed, attempts } = createWatch(t, {
      listen: ['/ip4/0.0.0.0/tcp/4001', '/ip6/2a00::9/tcp/4001'],
    })
    const change = changed()
    hosts = ['10.0.0.1', '10.0.0.2']
    await change
    assert.deepEqual(attempts, [])
  })
})
