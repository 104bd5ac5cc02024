/** What a host name in a multiaddr stands for. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isNamed, resolveHost } from '../../../../src/addresses/resolve-host.ts'
import type { LookUpHost } from '../../../../src/addresses/resolve-host.ts'

const ID = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

const answering =
  (...addresses: string[]): LookUpHost =>
  async (_host, family) =>
    addresses
      .map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
      .filter(found => family === 0 || found.family === family)

async function resolved(addr: string, ...addresses: string[]): Promise<string[]> {
  return (await resolveHost(multiaddr(addr), {}, answering(...addresses))).map(String)
}

describe('a host name', () => {
  it('stands for IPv4 addresses in /dns4, for IPv6 in /dns6, for both in /dns', async () => {
    const found = ['2001:db8::1', '192.0.2.1']
    assert.deepEqual(await resolved('/dns4/x/tcp/1', ...found), ['/ip4/192.0.2.1/tcp/1'])
    assert.deepEqual(await resolved('/dns6/x/tcp/1', ...found), ['/ip6/2001:db8::1/tcp/1'])
    assert.deepEqual(await resolved('/dns/x/tcp/1', ...found), [
      '/ip6/2001:db8::1/tcp/1',
      '/ip4/192.0.2.1/tcp/1',
    ])
  })

  it('keeps what follows the name', async () => {
    assert.deepEqual(await resolved(`/dns4/x/tcp/1/tls/ws/p2p/${ID}`, '192.0.2.1'), [
      `/ip4/192.0.2.1/tcp/1/tls/ws/p2p/${ID}`,
    ])
  })

  it('gives the families in turns, in the order of the answers, each address once', async () => {
    const found = ['192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.3', '2001:db8::1']
    assert.deepEqual(await resolved('/dns/x/tcp/1', ...found), [
      '/ip4/192.0.2.1/tcp/1',
      '/ip6/2001:db8::1/tcp/1',
      '/ip4/192.0.2.2/tcp/1',
      '/ip4/192.0.2.3/tcp/1',
    ])
  })

  it('localhost is both loopback addresses, whatever the hosts file says', async () => {
    for (const name of ['localhost', 'LOCALHOST', 'localhost.']) {
      const addrs = await resolveHost(multiaddr(`/dns/${name}/tcp/1`))
      assert.deepEqual(addrs.map(String), ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1'])
    }
    assert.deepEqual((await resolveHost(multiaddr('/dns6/localhost/tcp/1'))).map(String), ['/ip6/::1/tcp/1'])
    assert.deepEqual((await resolveHost(multiaddr('/dns4/localhost/tcp/1'))).map(String), [
      '/ip4/127.0.0.1/tcp/1',
    ])
  })

  it('gives at most 16 addresses', async () => {
    const found = Array.from({ length: 100 }, (_, n) => `192.0.2.${n}`)
    assert.equal((await resolved('/dns/x/tcp/1', ...found)).length, 16)
  })

  it('that does not exist is an error', async () => {
    const lookUp = async (): Promise<never> => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND x'), { code: 'ENOTFOUND' })
    }
    await assert.rejects(resolveHost(multiaddr('/dns/x/tcp/1'), {}, lookUp), { code: 'ENOTFOUND' })
  })

  it('whose look-up hangs is given up when the signal fires', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(
      resolveHost(multiaddr('/dns/x/tcp/1'), { signal }, async () => new Promise(() => {})),
      {
        message: 'enough',
      },
    )
  })

  it('is not looked up where the address has none, or is a /dnsaddr', async () => {
    for (const addr of ['/ip4/192.0.2.1/tcp/1', '/ip6/::1/tcp/1', '/dnsaddr/x', '/unix/a']) {
      assert.deepEqual(await resolved(addr, '192.0.2.9'), [addr])
      assert.equal(isNamed(multiaddr(addr)), false)
    }
    assert.equal(isNamed(multiaddr('/dns6/x/tcp/1')), true)
  })
})
