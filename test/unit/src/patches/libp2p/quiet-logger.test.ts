import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { quietLogger } from '../../../../../src/patches/libp2p/quiet-logger.ts'
import { openStream, startNode } from './node.ts'
import type { ComponentLogger, Logger } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

describe('libp2p', LIMIT, () => {
  it('makes disabled loggers for each connection and stream, which is the fault', async t => {
    const { loggers } = await usedForStream(t, defaultLogger())
    assert.ok(loggers.size > 0)
    assert.ok([...loggers].every(({ enabled }) => !enabled))
  })
})

describe('quietLogger()', LIMIT, () => {
  it('is one logger for all connections and streams', async t => {
    setDebug(t, undefined)
    const { loggers } = await usedForStream(t, quietLogger()!)
    assert.equal(loggers.size, 1)
  })

  it('has every member that libp2p uses', async t => {
    setDebug(t, undefined)
    const { missing } = await usedForStream(t, quietLogger()!)
    assert.deepEqual([...missing], [])
  })

  it("leaves it to libp2p's own logger where DEBUG is set", t => {
    setDebug(t, 'libp2p:*')
    assert.equal(quietLogger(), undefined)
  })
})

/**
 * The loggers that a node takes for a connection and a stream, and the members that it looks for and that are
 * missing.
 */
async function usedForStream(
  t: TestContext,
  logger: ComponentLogger,
): Promise<{ loggers: Set<Logger>; missing: Set<string> }> {
  const [loggers, missing] = [new Set<Logger>(), new Set<string>()]
  const watched = (inner: Logger): Logger => {
    loggers.add(inner)
    return new Proxy(inner, {
      get: (target, name, receiver) => {
        if (name === 'newScope') return (scope: string) => watched(target.newScope(scope))
        if (!(name in target)) missing.add(String(name))
        return Reflect.get(target, name, receiver) as unknown
      },
    })
  }
  const watching = { forComponent: (name: string) => watched(logger.forComponent(name)) }
  const [{ node }, { node: remote }] = [
    await startNode(t, () => {}, { logger: watching }),
    await startNode(t),
  ]
  // those of the components
  loggers.clear()
  await openStream(remote, node)
  return { loggers, missing }
}

function setDebug(t: TestContext, value: string | undefined): void {
  const { DEBUG } = process.env
  const set = (debug: string | undefined): void => {
    if (debug === undefined) delete process.env['DEBUG']
    else process.env['DEBUG'] = debug
  }
  set(value)
  t.after(() => set(DEBUG))
}
