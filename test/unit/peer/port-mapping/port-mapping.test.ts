/** How mappings are kept: with gateways made up for each test, and time that passes when told. */

import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { MappingRefusedError } from '../../../../peer/port-mapping/mapper.ts'
import { PortMapping } from '../../../../peer/port-mapping/port-mapping.ts'
import { once, turns } from '../../../waits.ts'
import type { TestContext } from 'node:test'
import type {
  FindMapper,
  Lease,
  Mapper,
  MappingProtocol,
  Network,
} from '../../../../peer/port-mapping/mapper.ts'
import type { LocalEndpoint, PortMappingInit } from '../../../../peer/port-mapping/port-mapping.ts'

const HOME: Network = { gateway: '192.168.1.1', ownAddress: '192.168.1.2' }
const CAFE: Network = { gateway: '192.168.7.1', ownAddress: '192.168.7.9' }
const LISTENER: LocalEndpoint = { family: 4, host: HOME.ownAddress, port: 4001 }
const PUBLIC = '11.0.1.1'

/** A gateway as this host sees it. */
class FakeGateway implements Mapper {
  readonly protocol: MappingProtocol
  externalAddress = PUBLIC
  externalPort = 4001
  lifetimeMs = 7_200_000
  /** What `map` rejects with. */
  failure: Error | undefined
  /** Whether `unmap` is answered. */
  isDeaf = false
  readonly asked: string[] = []

  constructor(protocol: MappingProtocol) {
    this.protocol = protocol
  }

  async map(port: number, _held: Lease | undefined, _signal: AbortSignal): Promise<Lease> {
    this.asked.push(`map ${port}`)
    if (this.failure !== undefined) throw this.failure
    const { externalAddress, externalPort, lifetimeMs } = this
    return { externalAddress, externalPort, lifetimeMs }
  }

  async unmap(port: number, signal: AbortSignal): Promise<void> {
    this.asked.push(`unmap ${port}`)
    if (this.isDeaf) await aborted(signal)
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  // unlike a timer of AbortSignal.timeout, a listener does not keep the process running
  const running = setInterval(() => {}, 1_000)
  try {
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    clearInterval(running)
  }
  throw signal.reason as Error
}

const offers =
  (mapper: Mapper): FindMapper =>
  async () =>
    mapper
const nobody: FindMapper = async () => Promise.reject(new Error('nobody there'))
const silence: FindMapper = async (_network, signal) => aborted(signal)

const NONE = { pcp: nobody, 'nat-pmp': nobody, upnp: nobody }

function keep(t: TestContext, init: Partial<PortMappingInit>): { mapping: PortMapping; events: string[] } {
  const mapping = new PortMapping({ ports: () => [LISTENER], network: async () => HOME, find: NONE, ...init })
  const events: string[] = []
  mapping.addEventListener('added', ({ detail }) => events.push(`added ${detail.protocol} ${detail.addr}`))
  mapping.addEventListener('lost', ({ detail }) => events.push(`lost ${detail.addr} ${detail.reason}`))
  mapping.addEventListener('failed', ({ detail }) => events.push(`failed ${detail.reason}`))
  mapping.start()
  t.after(() => mapping.stop())
  return { mapping, events }
}

describe('a mapping', () => {
  test('is made by the first protocol that is answered, and by no other', async t => {
    const [pcp, upnp] = [new FakeGateway('pcp'), new FakeGateway('upnp')]
    const { mapping, events } = keep(t, { find: { pcp: silence, upnp: offers(upnp), 'nat-pmp': nobody } })
    await mapping.refresh()
    assert.deepEqual(events, [`added upnp /ip4/${PUBLIC}/tcp/4001`])
    assert.deepEqual(pcp.asked, [])
    assert.deepEqual(mapping.mappings[0]?.internal, { host: HOME.ownAddress, port: 4001 })
  })

  test('is made by the next protocol where the first refuses', async t => {
    const [pcp, upnp] = [new FakeGateway('pcp'), new FakeGateway('upnp')]
    pcp.failure = new MappingRefusedError('pcp', 2)
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp), upnp: offers(upnp) } })
    await mapping.refresh()
    assert.deepEqual(events, [`added upnp /ip4/${PUBLIC}/tcp/4001`])
    assert.ok(!pcp.asked.includes('unmap 4001'), 'what was refused is not to be removed')
  })

  test('that came half way is not left behind', async t => {
    const pcp = new FakeGateway('pcp')
    pcp.failure = new Error('the answer got lost')
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    assert.equal(pcp.asked.at(-1), 'unmap 4001')
    assert.deepEqual(events, ['failed refused'])
  })

  for (const externalAddress of [
    '10.1.2.3',
    '100.64.1.1',
    '192.168.1.1',
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '::1',
    '2a0f:fade::1',
    '11.1',
    '11.0.0.1/tcp/1/p2p-circuit',
    '',
  ])
    test(`to ${externalAddress} is of no use: it is removed, and said`, async t => {
      const pcp = new FakeGateway('pcp')
      pcp.externalAddress = externalAddress
      const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
      await mapping.refresh()
      assert.deepEqual(events, ['failed external-address-private'])
      assert.deepEqual(mapping.mappings, [])
      assert.equal(pcp.asked.at(-1), 'unmap 4001')
    })

  test('is renewed without a word while it stays the same', async t => {
    const pcp = new FakeGateway('pcp')
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    const before = pcp.asked.length
    await mapping.refresh()
    assert.equal(pcp.asked.length, before + 1)
    assert.equal(events.length, 1)
  })

  test('that the gateway changes is lost and added', async t => {
    const pcp = new FakeGateway('pcp')
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    pcp.externalAddress = '11.0.9.9'
    await mapping.refresh()
    assert.deepEqual(events.slice(1), [
      `lost /ip4/${PUBLIC}/tcp/4001 changed`,
      'added pcp /ip4/11.0.9.9/tcp/4001',
    ])
  })

  test('is lost in another network, and made there', async t => {
    const pcp = new FakeGateway('pcp')
    let network: Network | undefined = HOME
    const { mapping, events } = keep(t, {
      find: { ...NONE, pcp: offers(pcp) },
      network: async () => network,
      ports: () => [LISTENER, { ...LISTENER, host: CAFE.ownAddress }],
    })
    await mapping.refresh()
    network = CAFE
    await mapping.refresh()
    network = undefined
    await mapping.refresh()
    const addr = `/ip4/${PUBLIC}/tcp/4001`
    assert.deepEqual(events, [
      `added pcp ${addr}`,
      `lost ${addr} network-changed`,
      `added pcp ${addr}`,
      `lost ${addr} network-changed`,
      'failed no-gateway',
    ])
  })

  test('is removed when nothing listens any more', async t => {
    const pcp = new FakeGateway('pcp')
    let ports = [LISTENER]
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) }, ports: () => ports })
    await mapping.refresh()
    ports = []
    await mapping.refresh()
    assert.equal(events.at(-1), `lost /ip4/${PUBLIC}/tcp/4001 not-listening`)
    assert.equal(pcp.asked.at(-1), 'unmap 4001')
  })

  test('stays where another gateway turns up in its stead and gives the same address', async t => {
    const [pcp, upnp] = [new FakeGateway('pcp'), new FakeGateway('upnp')]
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: async () => (pcp.failure ? upnp : pcp) } })
    await mapping.refresh()
    pcp.failure = new Error('it has restarted')
    await mapping.refresh()
    assert.equal(events.length, 1)
    assert.equal(mapping.mappings[0]?.protocol, 'upnp')
  })
})

describe('time', () => {
  test('renews a mapping every minute, sooner where it lives shorter, and never within 4 s', async t => {
    for (const [lifetimeMs, pauseMs] of [
      [7_200_000, 60_000],
      [20_000, 10_000],
      [1_000, 4_000],
    ] as const) {
      mock.timers.enable({ apis: ['setTimeout'] })
      t.after(() => mock.timers.reset())
      const pcp = new FakeGateway('pcp')
      pcp.lifetimeMs = lifetimeMs
      const { mapping } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
      await mapping.refresh()
      const before = pcp.asked.length
      mock.timers.tick(pauseMs - 1)
      assert.equal(pcp.asked.length, before)
      mock.timers.tick(1)
      await settled()
      assert.equal(pcp.asked.length, before + 1)
      await mapping.stop()
      mock.timers.reset()
    }
  })
})

/** All that follows from what has happened, without waiting for anything outside. */
async function settled(): Promise<void> {
  await turns(1)
}

describe('nothing is asked', () => {
  const cases: Record<string, Partial<PortMappingInit>> = {
    'for a host with a public address': {
      network: async () => ({ gateway: '11.0.0.1', ownAddress: '11.0.0.2' }),
      ports: () => [{ ...LISTENER, host: '11.0.0.2' }],
    },
    'where nothing listens': { ports: () => [] },
    'where only loopback listens': { ports: () => [{ ...LISTENER, host: '127.0.0.1' }] },
    'where only another network listens': { ports: () => [{ ...LISTENER, host: '10.9.9.9' }] },
    'where only IPv6 listens': { ports: () => [{ ...LISTENER, family: 6, host: '2a0f:fade::1' }] },
    'without a default route': { network: async () => undefined },
  }
  for (const [what, init] of Object.entries(cases))
    test(what, async t => {
      let searches = 0
      const count: FindMapper = async () => Promise.reject(new Error(`search ${++searches}`))
      const { mapping } = keep(t, { find: { pcp: count, 'nat-pmp': count, upnp: count }, ...init })
      await mapping.refresh()
      assert.equal(searches, 0)
    })
})

describe('a network without port mapping', () => {
  test('is told once', async t => {
    const { mapping, events } = keep(t, {})
    await mapping.refresh()
    await mapping.refresh()
    assert.deepEqual(events, ['failed no-protocol'])
  })

  test('that cannot even be looked at throws nothing', async t => {
    const { mapping } = keep(t, { network: async () => Promise.reject(new Error('no /proc')) })
    await mapping.refresh()
    const broken = keep(t, {
      ports: () => {
        throw new Error('no listeners')
      },
    })
    await broken.mapping.refresh()
  })
})

describe('stopping', () => {
  test('removes what is held, and says so', async t => {
    const pcp = new FakeGateway('pcp')
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    await mapping.stop()
    assert.equal(pcp.asked.at(-1), 'unmap 4001')
    assert.equal(events.at(-1), `lost /ip4/${PUBLIC}/tcp/4001 stopped`)
    assert.deepEqual(mapping.mappings, [])
  })

  test('ends a search at once', async t => {
    const { mapping, events } = keep(t, { find: { pcp: silence, 'nat-pmp': silence, upnp: silence } })
    const startedAt = performance.now()
    await mapping.stop()
    assert.ok(performance.now() - startedAt < 1_000)
    assert.deepEqual(events, [])
  })

  test('takes 1.5 s at the most where the gateway is silent', async t => {
    const pcp = new FakeGateway('pcp')
    pcp.isDeaf = true
    const { mapping } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    const startedAt = performance.now()
    await mapping.stop()
    const elapsedMs = performance.now() - startedAt
    assert.ok(elapsedMs < 2_500, `${elapsedMs} ms`)
  })

  test('in the middle of a request removes what that may have made', async t => {
    const pcp = new FakeGateway('pcp')
    const { promise, resolve } = Promise.withResolvers<void>()
    pcp.map = async (_port, _held, signal) => {
      resolve()
      return aborted(signal)
    }
    const { mapping } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await promise
    await mapping.stop()
    assert.deepEqual(pcp.asked, ['unmap 4001'])
  })

  test('twice, or without a start, is nothing', async () => {
    const mapping = new PortMapping({ ports: () => [LISTENER], network: async () => HOME, find: NONE })
    await mapping.stop()
    await mapping.refresh()
    mapping.start()
    await Promise.all([mapping.stop(), mapping.stop()])
  })

  test('is no end: it can be started again', async t => {
    const pcp = new FakeGateway('pcp')
    const { mapping, events } = keep(t, { find: { ...NONE, pcp: offers(pcp) } })
    await mapping.refresh()
    await mapping.stop()
    mapping.start()
    await mapping.refresh()
    assert.equal(events.at(-1), `added pcp /ip4/${PUBLIC}/tcp/4001`)
  })
})
