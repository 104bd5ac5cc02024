/** The program for nodes with port mapping and nothing else: no relay, no punch, so a dial that arrives came by the mapping. */

import { once } from 'node:events'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { probePortMapping } from '../../peer/port-mapping/probe.ts'
import { portMapping } from '../../peer/port-mapping/service.ts'
import { tcp } from '../../src/index.ts'
import { serve, write } from './requests.ts'
import type { Identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { PortMappingService } from '../../peer/port-mapping/service.ts'
import type { Actions } from './requests.ts'

type Services = { identify: Identify; ping: Ping; portMapping: PortMappingService }

const EVENTS = ['mapping:added', 'mapping:lost', 'mapping:failed', 'mapping:verified'] as const

let node: Libp2p<Services> | undefined

interface NodeRequest {
  listen: string[]
  enabled?: boolean
  /** What dialling back comes to. */
  isVerified?: boolean
  intervalMs?: number
}

const actions: Actions = {
  node: async ({ listen, isVerified = true, ...init }: NodeRequest) => {
    const startedAt = performance.now()
    node = await createLibp2p<Services>({
      start: false,
      addresses: { listen },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: {
        identify: identify(),
        ping: ping(),
        portMapping: portMapping({ ...init, verify: async () => isVerified }),
      },
    })
    for (const event of EVENTS)
      node.services.portMapping.addEventListener(event, ({ detail }) =>
        write({ event, at: Date.now(), ...detail }),
      )
    await node.start()
    return { peerId: node.peerId.toString(), elapsedMs: performance.now() - startedAt }
  },

  /** Resolves with the next event of this name. */
  'next-event': async ({ name, timeoutMs }: { name: string; timeoutMs: number }) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const [event] = (await once(running().services.portMapping as never, name, { signal })) as [
      CustomEvent<object>,
    ]
    return { ...event.detail }
  },

  refresh: async () => {
    await running().services.portMapping.refresh()
    return {}
  },

  addresses: async () => {
    const { services, components } = running() as Libp2p<Services> & Internals
    return {
      mapped: services.portMapping.mappings.map(it => it.external.toString()),
      announced: running().getMultiaddrs().map(String),
      candidates: components.addressManager
        .getAddressesWithMetadata()
        .flatMap(it => (it.type === 'ip-mapping' ? [it.multiaddr.toString()] : [])),
    }
  },

  /** Dials the address and exchanges a ping. */
  dial: async ({ addr, timeoutMs }: { addr: string; timeoutMs: number }) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const connection = await running().dial(multiaddr(addr), { signal })
    const rttMs = await running().services.ping.ping(connection.remotePeer, { signal })
    const { remoteAddr, limits } = connection
    await connection.close()
    return { remoteAddr: remoteAddr.toString(), isLimited: limits !== undefined, rttMs }
  },

  probe: async () => ({ ...(await probePortMapping()) }),

  stop: async () => {
    const startedAt = performance.now()
    await node?.stop()
    return { elapsedMs: performance.now() - startedAt }
  },
}

/** What libp2p keeps to itself. */
interface Internals {
  components: {
    addressManager: { getAddressesWithMetadata(): Array<{ type: string; multiaddr: { toString(): string } }> }
  }
}

function running(): Libp2p<Services> {
  if (node === undefined) throw new Error('no node has been started')
  return node
}

await serve(actions)
await node?.stop()
