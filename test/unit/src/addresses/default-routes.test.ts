/** The default routes and their gateway, as Linux lists them. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  defaultGateway,
  parseDefaultRoutes,
  parseDefaultRoutesIPv6,
} from '../../../../src/addresses/default-routes.ts'

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'
const route = (destination: string, gateway: string, flags: string, metric: number, mask: string): string =>
  `eth0\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0 `

const gatewayIn = (text: string): string | undefined => defaultGateway(parseDefaultRoutes(text))

describe('the default gateway', () => {
  test('is that of the default route', () => {
    const routes = [
      HEAD,
      route('0001A8C0', '00000000', '0001', 0, '00FFFFFF'),
      route('00000000', '0101A8C0', '0003', 0, '00000000'),
    ]
    assert.equal(gatewayIn(routes.join('\n')), '192.168.1.1')
  })

  test('is that of the route with the lowest metric', () => {
    const routes = [
      HEAD,
      route('00000000', '0101A8C0', '0003', 600, '00000000'),
      route('00000000', '0102A8C0', '0003', 100, '00000000'),
    ]
    assert.equal(gatewayIn(routes.join('\n')), '192.168.2.1')
  })

  test('is not the half of the internet that a VPN routes, nor a route that is down or has no next hop', () => {
    const routes = [
      HEAD,
      route('00000000', '0101A8C0', '0003', 0, '00000080'),
      route('00000000', '0101A8C0', '0002', 0, '00000000'),
      route('00000000', '00000000', '0001', 0, '00000000'),
    ]
    assert.equal(gatewayIn(routes.join('\n')), undefined)
  })

  test('is unknown where nothing can be read', () => {
    for (const text of ['', HEAD, `${HEAD}\n\t\t\t`, `${HEAD}\neth0\t00000000\tzz\t0003\t0\t0\t0\t00000000`])
      assert.equal(gatewayIn(text), undefined)
  })
})

test('a default route is listed while it is down, and when it leads to half of the internet', () => {
  const routes = [
    HEAD,
    route('0001A8C0', '00000000', '0001', 0, '00FFFFFF'),
    route('00000000', '0101A8C0', '0002', 0, '00000000'),
    route('00000000', '00000000', '0001', 5, '00000080'),
  ]
  assert.deepEqual(parseDefaultRoutes(routes.join('\n')), [
    { device: 'eth0', gateway: '192.168.1.1', isComplete: false, metric: 0 },
    { device: 'eth0', gateway: '0.0.0.0', isComplete: false, metric: 5 },
  ])
})

test('an IPv6 default route is distinguished from networks, and from routes by which the kernel rejects', () => {
  const [everywhere, router] = ['0'.repeat(32), `fe80${'0'.repeat(27)}1`]
  const line = (destination: string, length: string, gateway: string, device: string): string =>
    `${destination} ${length} ${everywhere} 00 ${gateway} 00000400 00000001 00000000 00000003     ${device}`
  const routes = [
    line(`fd00${'0'.repeat(28)}`, '40', everywhere, 'eth0'),
    line(everywhere, '00', router, 'wlan0'),
    line(everywhere, '60', router, 'eth1'),
    line(everywhere, '00', everywhere, 'lo'),
    '',
  ]
  assert.deepEqual(parseDefaultRoutesIPv6(routes.join('\n')), [{ device: 'wlan0', gateway: router }])
})
