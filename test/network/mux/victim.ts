/**
 * A program that is a relay or a peer, and says what it costs: processor time and memory.
 */

import { createServer } from 'node:http'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer } from '../../../peer/index.ts'
import { createRelay } from '../../../relay/index.ts'
import { ECHO, SINK } from './frames.ts'
import type { AddressInfo } from 'node:net'
import type { Libp2p } from '@libp2p/interface'

/** So that a flood reaches the limit of streams, and is not turned away for its connections. */
const FEW = { maxCircuitsPerPeer: 1_000, connectionsPerSecondPerIp: 1_000 }

/** What the parent asks for. */
export interface Question {
  dial?: string
  usage?: true
}

/** What the program answers. */
export interface Usage {
  /** Processor time since the last answer, in milliseconds. */
  cpuMs: number
  rssMiB: number
  connections: number
}

/** An answer; `left` says that a connection has ended. */
export type Answer =
  | { left: true }
  | { ready: { addr: string; port: number } }
  | { usage: Usage }
  | { dialled: boolean }

const answer = (what: Answer): void => void process.send?.(what)

const node = await start(process.argv[2] ?? '')
await node.handle(ECHO, async stream => {
  try {
    for await (const data of stream) if (!stream.send(data)) await stream.onDrain()
    await stream.close()
  } catch {}
})
await node.handle(SINK, stream => stream.addEventListener('message', () => {}))
const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1', () => {
  const addr =
    node
      .getMultiaddrs()
      .map(String)
      .find(it => it.includes('127.0.0.1')) ?? ''
  answer({ ready: { addr, port: (server.address() as AddressInfo).port } })
})

node.addEventListener('connection:close', () => answer({ left: true }))

let before = process.cpuUsage()
process.on('message', ({ dial, usage }: Question) => {
  if (dial !== undefined)
    node.dial(multiaddr(dial)).then(
      () => answer({ dialled: true }),
      () => answer({ dialled: false }),
    )
  if (usage === undefined) return
  const { user, system } = process.cpuUsage(before)
  before = process.cpuUsage()
  answer({
    usage: {
      cpuMs: (user + system) / 1000,
      rssMiB: process.memoryUsage.rss() / 1024 / 1024,
      connections: node.getConnections().length,
    },
  })
})
process.on('disconnect', () => process.exit())

async function start(role: string): Promise<Libp2p> {
  if (role === 'relay')
    return (await createRelay({ profile: 'private', ...FEW, listen: ['/ip4/127.0.0.1/tcp/0'] })).libp2p
  return (await createPeer({ portMapping: false })).libp2p
}
