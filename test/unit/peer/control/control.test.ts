/** The socket by which a running node is asked, at both ends. */
import assert from 'node:assert/strict'
import { chmod, chown, lchown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { withOffice } from '../../../../peer/commands/running/open-ticket-issuer.ts'
import { status } from '../../../../peer/commands/status.ts'
import { askNode } from '../../../../peer/control/client.ts'
import { serveControl } from '../../../../peer/control/server.ts'
import { RemoteOffice } from '../../../../peer/tickets/routes.ts'
import { exitCodeOf, exitCodes } from '../../../../src/cli/exit-codes.ts'
import { createOutput } from '../../../../src/cli/output/output.ts'
import { InvalidConfigError } from '../../../../src/errors.ts'
import { once } from '../../../waits.ts'
import type { IncomingMessage } from 'node:http'
import type { TestContext } from 'node:test'

const FAR_TICKET = '{"id":"0","service":"web","expiresAt":1e300,"uses":null,"peers":[]}'

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

describe('a socket that another user can have made', {
  skip: !isRoot && 'only root can give files away',
}, () => {
  const STRANGER = 54_321
  const ask = async (dataDir: string): Promise<unknown> => askNode(dataDir, 'GET /status')
  const refused = (mend: RegExp): object => ({ name: 'DataDirError', reason: 'unsafe', message: mend })

  for (const mode of [0o777, 0o707, 0o770])
    test(`is not asked in a directory with mode ${mode.toString(8)}`, async t => {
      const dataDir = await directory(t)
      let calls = 0
      await using _server = await serveControl(dataDir, { 'GET /status': () => ({ calls: ++calls }) })
      await chmod(dataDir, mode)
      await assert.rejects(ask(dataDir), refused(/run: chmod go-w /))
      assert.equal(calls, 0)
    })

  test('is not asked where it belongs to another user', async t => {
    const dataDir = await directory(t)
    await using _server = await serveControl(dataDir, { 'GET /status': () => ({}) })
    await chown(join(dataDir, 'control.sock'), STRANGER, STRANGER)
    await assert.rejects(ask(dataDir), refused(/belongs to the user with the id 54321/))
  })

  test('is not asked where its directory belongs to another user', async t => {
    const dataDir = await directory(t)
    await using _server = await serveControl(dataDir, { 'GET /status': () => ({}) })
    await chown(dataDir, STRANGER, STRANGER)
    await assert.rejects(ask(dataDir), refused(/belongs to the user with the id 54321/))
  })

  test('is not asked where it is a link of another user', async t => {
    const [dataDir, other] = [await directory(t), await directory(t)]
    await using _server = await serveControl(other, { 'GET /status': () => ({}) })
    await symlink(join(other, 'control.sock'), join(dataDir, 'control.sock'))
    await lchown(join(dataDir, 'control.sock'), STRANGER, STRANGER)
    await assert.rejects(ask(dataDir), refused(/symbolic link .* belongs to the user with the id 54321/))
  })

  test('is not waited for in a directory where others can make one', async t => {
    const dataDir = await directory(t)
    await chmod(dataDir, 0o777)
    const commands = [
      ask,
      async (path: string) => withOffice(path, async office => void (await office.list())),
    ]
    for (const command of commands) await assert.rejects(command(dataDir), refused(/run: chmod 700 /))
  })

  test('is missing where the service has stopped, also for root', async t => {
    const dataDir = await directory(t)
    await chown(dataDir, STRANGER, STRANGER)
    const stopped = { name: 'UnreachableError', message: /No node runs/ }
    await assert.rejects(ask(dataDir), stopped)
    await assert.rejects(
      withOffice(dataDir, async office => void (await office.list())),
      stopped,
    )
  })

  test('is not asked where others may write to it', async t => {
    const dataDir = await directory(t)
    await using _server = await serveControl(dataDir, { 'GET /status': () => ({}) })
    await chmod(join(dataDir, 'control.sock'), 0o666)
    await assert.rejects(ask(dataDir), refused(/run: chmod 600 /))
  })

  test("is asked by root where all is one user's alone, as of a service", async t => {
    const dataDir = await directory(t)
    await using _server = await serveControl(dataDir, { 'GET /status': () => ({ is: 'asked' }) })
    await chown(join(dataDir, 'control.sock'), STRANGER, STRANGER)
    await chown(dataDir, STRANGER, STRANGER)
    assert.deepEqual(await ask(dataDir), { is: 'asked' })
    await chmod(dataDir, 0o755)
    await assert.rejects(ask(dataDir), refused(/54321/))
  })
})

describe('an answer that no node gives', () => {
  const answers: readonly (readonly [what: string, status: number, body: string])[] = [
    ['empty', 200, ''],
    ['no JSON', 200, '<html>'],
    ['half', 200, '{"peerId":'],
    ['null', 200, 'null'],
    ['a number', 200, '1'],
    ['a list', 200, '[]'],
    ['without fields', 200, '{}'],
    ['with fields of other types', 200, '{"peerId":"x","version":1,"relays":{},"peers":7,"tickets":[{}]}'],
    ['with entries of other types', 200, '{"peerId":"x","relays":[null],"peers":[null],"tickets":[null]}'],
    ['with times that are none', 200, `{"peerId":"x","uptimeMs":1e999,"tickets":[${FAR_TICKET}]}`],
    ['an error without a name', 400, '{"error":{}}'],
    ['an error that is null', 500, 'null'],
    ['an error of other types', 500, '{"error":{"name":1,"message":{}}}'],
    [
      'an error with the name of a bug',
      500,
      '{"error":{"name":"TypeError","message":"x","code":"ERR_ASSERTION"}}',
    ],
  ]
  for (const [what, status, body] of answers)
    for (const [command, run] of [
      ['status', async (dataDir: string) => runStatus(dataDir)],
      ['tickets', async (dataDir: string) => new RemoteOffice(dataDir).list()],
      ['ticket', async (dataDir: string) => new RemoteOffice(dataDir).issue(WISH, [])],
      ['revoke', async (dataDir: string) => new RemoteOffice(dataDir).revoke('0')],
    ] as const)
      test(`is no bug: ${what}, for ${command}`, async t => {
        const dataDir = await directory(t)
        await using _server = await answering(dataDir, status, body)
        await assert.rejects(run(dataDir), (error: Error) => {
          assert.notEqual(exitCodeOf(error), exitCodes.bug, String(error))
          assert.match(error.message, status === 200 ? /is no throughnat node/ : /./)
          return true
        })
      })

  test('is no bug where it is no HTTP', async t => {
    const dataDir = await directory(t)
    const server = createServer(socket => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))
    const listening = once(server, 'listening')
    server.listen(join(dataDir, 'control.sock'))
    await listening
    t.after(() => server.close())
    await chmod(join(dataDir, 'control.sock'), 0o600)
    await assert.rejects(runStatus(dataDir), { name: 'UnreachableError', message: /is no throughnat node/ })
  })
})

const WISH = { service: 'web', validMs: null, uses: null }

async function runStatus(dataDir: string): Promise<void> {
  const output = createOutput({ json: false, stdout: new PassThrough(), stderr: new PassThrough() })
  const context = { output, signal: AbortSignal.timeout(10_000) }
  await status.run({ dataDir, watch: false, intervalMs: 1 } as never, context as never)
}

async function answering(dataDir: string, status: number, body: string): Promise<AsyncDisposable> {
  const server = createHttpServer((request, response) => {
    request.resume()
    response.writeHead(status).end(body)
  })
  const path = join(dataDir, 'control.sock')
  const listening = once(server, 'listening')
  server.listen(path)
  await listening
  await chmod(path, 0o600)
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
