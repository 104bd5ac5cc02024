/** What libp2p's address manager is told about a mapping, and when. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { portMapping } from '../../../../peer/port-mapping/service.ts'
import { once } from '../../../waits.ts'
import type { Libp2pEvents } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { Mapper } from '../../../../peer/port-mapping/mapper.ts'
import type { PortMappingComponents, PortMappingService } from '../../../../peer/port-mapping/service.ts'

const MAPPED = '/ip4/11.0.1.1/tcp/5000'
const LISTENING = ['/ip4/127.0.0.1/tcp/4001', '/ip4/192.168.1.2/tcp/4001', '/ip6/::1/tcp/4001']

const mapper: Mapper = {
  protocol: 'pcp',
  map: async () => ({ externalAddress: '11.0.1.1', externalPort: 5000, lifetimeMs: 7_200_000 }),
  unmap: async () => {},
}

interface Node {
  service: PortMappingService
  /** What the address manager was told. */
  told: string[]
  listen: () => void
}

function createNode(t: TestContext, verify: () => Promise<boolean>, init: { enabled?: boolean } = {}): Node {
  const told: string[] = []
  let listening: string[] = []
  const events = new TypedEventEmitter<Libp2pEvents>()
  const addressManager = {
    addPublicAddressMapping: (...args: unknown[]) => told.push(`add ${args.join(' ')}`),
    removePublicAddressMapping: (...args: unknown[]) => told.push(`remove ${args.join(' ')}`),
    confirmObservedAddr: (addr: Multiaddr, { type }: { type: string }) =>
      told.push(`confirm ${addr} ${type}`),
  }
  const transportManager = { getAddrs: () => listening.map(it => multiaddr(it)) }
  const components = { addressManager, transportManager, events, logger: defaultLogger() }
  const nobody = async (): Promise<Mapper> => Promise.reject(new Error('nobody there'))
  const service = portMapping({
    verify,
    network: async () => ({ gateway: '192.168.1.1', ownAddress: '192.168.1.2' }),
    find: { pcp: async () => mapper, 'nat-pmp': nobody, upnp: nobody },
    ...init,
  })(components as unknown as PortMappingComponents)
  service.start()
  t.after(() => service.stop())
  return {
    service,
    told,
    listen: () => {
      listening = LISTENING
      events.safeDispatchEvent('transport:listening', { detail: undefined as never })
    },
  }
}

const ADDED = 'add 192.168.1.2 4001 11.0.1.1 5000 tcp'
const CONFIRMED = `confirm ${MAPPED} ip-mapping`
const REMOVED = 'remove 192.168.1.2 4001 11.0.1.1 5000 tcp'

describe('a mapped address', () => {
  test('is told when the node listens, confirmed when verified, and taken back at the end', async t => {
    const { service, told, listen } = createNode(t, async () => true)
    const verified = once(service as never, 'mapping:verified')
    listen()
    await verified
    assert.deepEqual(told, [ADDED, CONFIRMED])
    await service.stop()
    assert.deepEqual(told, [ADDED, CONFIRMED, REMOVED])
  })

  test('that nobody has reached is not confirmed, until somebody has', async t => {
    let isReached = false
    const { service, told, listen } = createNode(t, async () => isReached)
    listen()
    await service.refresh()
    assert.deepEqual(told, [ADDED])
    isReached = true
    const verified = once(service as never, 'mapping:verified')
    // the first answer, no, may still be on its way
    service.verifyAgain()
    await verified
    assert.deepEqual(told, [ADDED, CONFIRMED])
  })

  test('that cannot be verified is not confirmed, and nothing is thrown', async t => {
    const { service, told, listen } = createNode(t, async () => Promise.reject(new Error('no relay')))
    listen()
    await service.refresh()
    assert.deepEqual(told, [ADDED])
  })

  test('that is lost while it is verified stays unconfirmed', async t => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const { service, told, listen } = createNode(t, async () => promise)
    listen()
    await service.refresh()
    await service.stop()
    resolve(true)
    await promise
    assert.deepEqual(told, [ADDED, REMOVED])
  })
})

test('a node without port mapping maps nothing', async t => {
  const { service, told, listen } = createNode(t, async () => true, { enabled: false })
  listen()
  await service.refresh()
  assert.deepEqual(told, [])
})
