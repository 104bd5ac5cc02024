/** The socket by which a running node is asked, at both ends. */
import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { askNode } from '../../../../peer/control/client.ts'
import { serveControl } from '../../../../peer/control/server.ts'
import { exitCodeOf } from '../../../../src/cli/exit-codes.ts'
import { InvalidConfigError } from '../../../../src/errors.ts'
import { once } from '../../../waits.ts'
import type { IncomingMessage } from 'node:http'
import type { TestContext } from 'node:test'

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('a route is asked with the body, and its answer comes back', async t => {
  const dataDir = await directory(t)
  await using _server = await serveControl(dataDir, { 'POST /double': body => ({ twice: [body, body] }) })
  assert.deepEqual(await askNode(dataDir, 'POST /double', { a: 1 }), { twice: [{ a: 1 }, { a: 1 }] })
})

test("the socket is this user's alone, replaces that of a process that is no more, and goes with the server", async t => {
  const dataDir = await directory(t)
  const path = join(dataDir, 'control.sock')
  await writeFile(path, '')
  const server = await serveControl(dataDir, {})
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await server[Symbol.asyncDispose]()
  await assert.rejects(stat(path), { code: 'ENOENT' })
})

test('what a route throws on purpose arrives as it is, and a bug does not end the server', async t => {
  const dataDir = await directory(t)
  await using _server = await serveControl(dataDir, {
    'GET /config': () => {
      throw new InvalidConfigError([{ where: '--relay', what: 'is missing: there is none' }])
    },
    'GET /bug': () => {
      throw new Error('oh')
    },
  })
  await assert.rejects(askNode(dataDir, 'GET /config'), {
    name: 'InvalidConfigError',
    message: '--relay: is missing: there is none',
  })
  for (let time = 0; time < 2; time++)
    await assert.rejects(askNode(dataDir, 'GET /bug'), { name: 'UsageError', message: /oh/ })
  await assert.rejects(askNode(dataDir, 'GET /__proto__'), /Unknown route: GET/)
})

test('an error of the system that the node met has the exit code that it has there', async t => {
  const dataDir = await directory(t)
  const fail = (fields: object) => (): never => {
    throw Object.assign(new Error('it failed'), fields)
  }
  await using _server = await serveControl(dataDir, {
    'POST /full': fail({ code: 'ENOSPC', syscall: 'write' }),
    'POST /gone': fail({ code: 'ENOENT', syscall: 'open' }),
    'POST /database': fail({ name: 'PutFailedError' }),
    'POST /late': fail({ name: 'TimeoutError' }),
  })
  for (const [route, exitCode] of [
    ['POST /full', 3],
    ['POST /gone', 3],
    ['POST /database', 3],
    ['POST /late', 4],
  ] as const)
    await assert.rejects(askNode(dataDir, route, {}), (error: Error) => {
      assert.equal(error.message, 'The running node reports: it failed')
      assert.equal(exitCodeOf(error), exitCode)
      return true
    })
})

test('a body that is too large, or no JSON, is refused before the route', async t => {
  const dataDir = await directory(t)
  let calls = 0
  await using _server = await serveControl(dataDir, { 'POST /x': () => ({ calls: ++calls }) })
  for (const body of ['x'.repeat(100_000), '{"a":', '']) {
    const asking = request({ socketPath: join(dataDir, 'control.sock'), method: 'POST', path: '/x' })
    asking.on('error', () => {})
    asking.end(body)
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    response.resume()
    assert.equal(response.statusCode, 400)
  }
  assert.equal(calls, 0)
})

test('where no node runs, that is said, with what to do', async t => {
  const dataDir = await directory(t)
  const nobody = { name: 'UnreachableError', message: /No node runs with the data directory .*--data-dir/ }
  await assert.rejects(askNode(dataDir, 'GET /status'), nobody)
  const server = await serveControl(dataDir, {})
  await server[Symbol.asyncDispose]()
  await assert.rejects(askNode(dataDir, 'GET /status'), nobody)
})

test('a node that stops while it is asked is told as one that does not run', async t => {
  const dataDir = await directory(t)
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const server = await serveControl(dataDir, {
    'GET /late': () => {
      resolve()
      return new Promise(() => {})
    },
  })
  const stopped = { name: 'UnreachableError', message: /No node runs with the data directory .* any more/ }
  const asking = assert.rejects(askNode(dataDir, 'GET /late'), stopped)
  await asked
  await server[Symbol.asyncDispose]()
  await asking
})

const isRoot = process.geteuid?.() === 0

test('the node of another user is told with both users', {
  skip: !isRoot && 'only root can be another user',
}, async t => {
  const dataDir = await directory(t)
  await using _server = await serveControl(dataDir, {})
  // the socket is closed to others, and its directory is not
  await chmod(dataDir, 0o755)
  process.seteuid?.(65_534)
  try {
    await assert.rejects(askNode(dataDir, 'GET /status'), {
      name: 'DataDirError',
      reason: 'unusable',
      message: /the user with the id 0, .* user id is 65534/,
    })
  } finally {
    process.seteuid?.(0)
  }
})

test('a caller that gives up gets its own reason', async t => {
  const dataDir = await directory(t)
  await using _server = await serveControl(dataDir, { 'GET /late': () => new Promise(() => {}) })
  const controller = new AbortController()
  const asking = askNode(dataDir, 'GET /late', undefined, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(asking, /enough/)
})

test('a data directory whose path is too long for a socket is told as that', async t => {
  const dataDir = join(await directory(t), 'x'.repeat(100))
  await mkdir(dataDir)
  for (const act of [() => serveControl(dataDir, {}), () => askNode(dataDir, 'GET /status')])
    await assert.rejects(act(), { name: 'InvalidConfigError', message: /too long for a socket/ })
})
