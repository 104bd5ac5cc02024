/** Kinds that name a place or a peer: hosts, multiaddrs, relays, peer ids, services, allow rules. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import {
  examplePeerId,
  hostPortKind,
  multiaddrKind,
  peerIdKind,
  relayAddrKind,
} from '../../../../../src/config/kinds/address-kinds.ts'
import type { Kind } from '../../../../../src/config/kinds/kind.ts'
import { printValue } from '../../../../../src/config/kinds/kind.ts'
import { allowRuleKind, serviceKind } from '../../../../../peer/tunnel/listener/service-kinds.ts'

const place = { directory: '/', home: '/' }
const id = examplePeerId
const relay = `/ip4/192.0.2.1/tcp/4001/p2p/${id}`

interface Row {
  kind: Kind<unknown>
  good: string[]
  bad: Record<string, RegExp>
}

const rows: Row[] = [
  {
    kind: hostPortKind,
    good: [
      '127.0.0.1:8080',
      '[::1]:80',
      '0.0.0.0:0',
      'localhost:65535',
      'my_db.internal:1',
      '[fe80::1%eth0]:1',
    ],
    bad: {
      ':8080': /the host is missing, write 127\.0\.0\.1:8080 for this machine only/,
      '8080': /expected HOST:PORT/,
      '127.0.0.1': /HOST:PORT/,
      '127.0.0.1:': /from 0 to 65535/,
      '127.0.0.1:70000': /from 0 to 65535/,
      '127.0.0.1:http': /from 0/,
      '::1:80': /needs brackets/,
      '[::1]': /HOST:PORT/,
      '[127.0.0.1]:80': /IPv6/,
      '[]:80': /IPv6/,
      '256.1.1.1:80': /neither/,
      'a..b:80': /neither/,
      '-a:80': /neither/,
      'a b:80': /neither/,
      'http://a:80': /neither/,
    },
  },
  {
    kind: multiaddrKind,
    good: [
      '/ip4/0.0.0.0/tcp/0',
      '/ip6/::/tcp/4001',
      '/dns4/relay.example/tcp/443/wss',
      '/ip4/192.0.2.1',
      relay,
    ],
    bad: {
      '192.0.2.1:4001': /must start with a slash/,
      '/': /names no address/,
      '/ip4/999.1.1.1/tcp/1': /Invalid IPv4/,
      '/ip4/192.0.2.1/tcp/99999': /65535/,
      '/ip4/192.0.2.1/tcp': /missing value/,
      '/foo/1': /Protocol foo was unknown/,
      '/ip4/192.0.2.1/tcp/1/p2p/xyz': /complete peer id/,
      '/dns4/ex ample/tcp/1': /malformed host name/,
    },
  },
  {
    kind: relayAddrKind,
    good: [relay, `/ip6/2001:db8::1/tcp/1/p2p/${id}`, `/dns/relay.example/tcp/4001/p2p/${id}`],
    bad: {
      '/ip4/192.0.2.1/tcp/4001': /must end in \/p2p\//,
      [`${relay}/p2p-circuit/p2p/${id}`]: /without \/p2p-circuit/,
      [`/ip4/192.0.2.1/udp/4001/quic-v1/p2p/${id}`]: /only TCP can be dialled/,
      [`/p2p/${id}`]: /only TCP can be dialled/,
      [`/ip4/192.0.2.1/tcp/0/p2p/${id}`]: /port 0/,
      [`/ip4/0.0.0.0/tcp/4001/p2p/${id}`]: /all addresses of a machine/,
      [`/ip6/::/tcp/4001/p2p/${id}`]: /all addresses of a machine/,
    },
  },
  {
    kind: peerIdKind,
    good: [id, 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
    bad: { x: /complete peer id/, [id.slice(0, -1)]: /complete peer id/, [`/p2p/${id}`]: /complete peer id/ },
  },
  {
    kind: serviceKind,
    good: ['web=127.0.0.1:8080', '0-a=[::1]:1', `${'a'.repeat(32)}=localhost:22`],
    bad: {
      '127.0.0.1:80': /NAME=HOST:PORT/,
      '=127.0.0.1:80': /1 to 32/,
      'Web=127.0.0.1:80': /lower-case/,
      '-web=127.0.0.1:80': /not start with a hyphen/,
      [`${'a'.repeat(33)}=127.0.0.1:80`]: /1 to 32/,
      'web=:80': /host is missing/,
      'web=127.0.0.1:0': /from 1 to 65535/,
    },
  },
  {
    kind: allowRuleKind,
    good: [`web=${id}`, 'web=anyone'],
    bad: {
      web: /NAME=PEER or NAME=anyone/,
      'web=': /complete peer id/,
      'web=*': /complete peer id/,
      'web=Anyone': /complete peer id/,
      'WEB=anyone': /lower-case/,
    },
  },
]

for (const { kind, good, bad } of rows) {
  describe(kind.noun, () => {
    for (const text of [...good, kind.example]) {
      test(`${text} is read, and printed as it was`, () => {
        const value = kind.parse(text, place)
        assert.equal(printValue(kind, value), text)
      })
    }
    for (const [text, message] of Object.entries(bad)) {
      test(`${text} is refused`, () => assert.throws(() => kind.parse(text, place), { message }))
    }
  })
}

test('a host and port come apart, without the brackets', () => {
  assert.deepEqual(hostPortKind.parse('[::1]:80', place), { host: '::1', port: 80 })
})

test('a service is a name, a host and a port', () => {
  assert.deepEqual(serviceKind.parse('web=localhost:80', place), { name: 'web', host: 'localhost', port: 80 })
})

test('a service may be a Unix socket, by a path that starts where other paths do', () => {
  const service = serviceKind.parse('docker=unix:run/docker.sock', { directory: '/srv', home: '/root' })
  assert.deepEqual(service, { name: 'docker', path: '/srv/run/docker.sock' })
  assert.equal(serviceKind.print?.(service), 'docker=unix:/srv/run/docker.sock')
  assert.throws(() => serviceKind.parse('docker=unix:', place), /the path of the Unix socket is missing/)
})

test('a rule holds a peer id, the word anyone, or what somebody may call a peer', () => {
  assert.deepEqual(allowRuleKind.parse('web=anyone', place), { name: 'web', peer: 'anyone' })
  assert.deepEqual(allowRuleKind.parse('web=laptop', place), { name: 'web', peer: 'laptop' })
  const { peer } = allowRuleKind.parse(`web=${id}`, place)
  assert.ok(typeof peer !== 'string' && peer.equals(peerIdFromString(id)))
})
