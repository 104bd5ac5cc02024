import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { once } from 'node:events'
import { defaultLogger } from '@libp2p/logger'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { explainDials } from '../../../../../src/patches/libp2p-websockets/dial-errors.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressInfo, Socket } from 'node:net'

const LIMIT = { timeout: 10_000 }

interface Dialling {
  _connect(addr: Multiaddr, options: AbortOptions): Promise<unknown>
}

describe('@libp2p/websockets', LIMIT, () => {
  it('rejects a dial that is refused with an event that is no error, which is the fault', async () => {
    const error = await refusal(it => it)
    assert.equal(error instanceof Error, false)
  })

  it('rejects a dial that was aborted without the reason, which is the fault', async () => {
    const reason = new Error('the reason')
    assert.notEqual(await abortion(it => it, reason), reason)
  })
})

describe('explainDials()', LIMIT, () => {
  it('gives the cause of a dial that is refused', async () => {
    const error = (await refusal(explainDials)) as Error & { cause: NodeJS.ErrnoException }
    assert.equal(error.name, 'ConnectionFailedError')
    assert.equal(error.cause.code, 'ECONNREFUSED')
  })

  it('gives the reason of a dial that was aborted', async () => {
    const reason = new Error('the reason')
    assert.equal(await abortion(explainDials, reason), reason)
  })

  refusesWithout('@libp2p/websockets', { _connect: () => {} }, explainDials)
})

/** What a dial to a port where nobody listens rejects with. */
async function refusal(patch: (transport: object) => object): Promise<unknown> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return rejection(patch, port, {})
}

/** What a dial rejects with that is aborted while it waits for an answer. */
async function abortion(patch: (transport: object) => object, reason: Error): Promise<unknown> {
  const dialling = new AbortController()
  const accepted: Socket[] = []
  const server = createServer(socket => {
    accepted.push(socket.on('error', () => {}))
    dialling.abort(reason)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const error = await rejection(patch, (server.address() as AddressInfo).port, { signal: dialling.signal })
  for (const socket of accepted) socket.destroy()
  server.close()
  return error
}

async function rejection(
  patch: (transport: object) => object,
  port: number,
  options: AbortOptions,
): Promise<unknown> {
  const components = { logger: defaultLogger(), events: new EventTarget() } as unknown as WebSocketsComponents
  const transport = patch(webSockets()(components)) as Dialling
  return transport._connect(multiaddr(`/ip4/127.0.0.1/tcp/${port}/ws`), options).then(
    () => assert.fail('a dial succeeded'),
    (error: unknown) => error,
  )
}
