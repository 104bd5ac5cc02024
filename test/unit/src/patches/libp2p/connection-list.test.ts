import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { ConnectionList } from '../../../../../src/patches/libp2p/connection-list.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { startNode } from './node.ts'
import type { Connection } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Components } from './node.ts'

const LIMIT = { timeout: 30_000 }

const patch = (components: Components): ConnectionList => new ConnectionList(components)

describe('libp2p', LIMIT, () => {
  it('copies the list of connections once for each peer, which is the fault', async t => {
    assert.equal(await copiesFor(t, 3, () => {}), 3)
  })
})

describe('ConnectionList', LIMIT, () => {
  it('copies the list without a look at each peer', async t => {
    assert.equal(await copiesFor(t, 3, patch), 0)
  })

  it('lists the connections that are open, and those of a peer', async t => {
    const { node } = await startNode(t, patch)
    const [{ node: first }, { node: second }] = [await startNode(t), await startNode(t)]
    const connections: Connection[] = []
    for (const remote of [first, second]) {
      const opened = once(node, 'connection:open') as Promise<[CustomEvent<Connection>]>
      await remote.dial(node.getMultiaddrs())
      connections.push((await opened)[0].detail)
    }
    assert.deepEqual(node.getConnections(), connections)
    assert.deepEqual(node.getConnections(second.peerId), [connections[1]])
    const closed = once(node, 'connection:close')
    await first.stop()
    await closed
    assert.deepEqual(node.getConnections(), [connections[1]])
  })

  refusesWithout(
    'libp2p',
    { getConnections: () => {} },
    connectionManager => new ConnectionList({ connectionManager, events: new EventTarget() as never }),
  )
  refusesWithout(
    'libp2p',
    { addEventListener: () => {} },
    events => new ConnectionList({ connectionManager: { getConnections: () => [] } as never, events }),
  )
})

/** How often `getConnections()` joins lists where there are so many peers. */
async function copiesFor(
  t: TestContext,
  peers: number,
  service: (components: Components) => unknown,
): Promise<number> {
  const { components } = await startNode(t, service)
  const map = components.connectionManager.getConnectionsMap()
  let copies = 0
  // `concat` asks each array whether it is to be taken apart
  const connections = new Proxy([] as Connection[], {
    get: (target, key, receiver) => {
      if (key === Symbol.isConcatSpreadable) copies++
      return Reflect.get(target, key, receiver) as unknown
    },
  })
  const lists = Array.from({ length: peers }, () => connections)
  const values = t.mock.method(map, 'values', () => lists.values())
  components.connectionManager.getConnections()
  values.mock.restore()
  return copies
}
