/** Refusals of services, for their owner. */

import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { describeRefusal } from '../../../../../peer/commands/running/describe-refusal.ts'
import { serviceKind } from '../../../../../peer/tunnel/listener/service-kinds.ts'
import type { ServiceRefusal } from '../../../../../peer/tunnel/listener/service-events.ts'
import type { TestContext } from 'node:test'

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

async function connectError(options: { path: string } | { host: string; port: number }): Promise<Error> {
  const [error] = (await once(connect(options), 'error')) as [Error]
  return error
}

const system = (code: string, fields: object = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect', ...fields })

describe('a service that is down is described', () => {
  test('by what the system says, with the path', async t => {
    const path = join(await directory(t), 'none.sock')
    assert.equal(
      describeRefusal({ reason: 'down', error: await connectError({ path }) }),
      `down: cannot connect to ${path}: it does not exist (ENOENT)`,
    )
  })

  test('by what the system says, with host and port', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    assert.equal(
      describeRefusal({ reason: 'down', error: await connectError({ host: '127.0.0.1', port }) }),
      `down: cannot connect to 127.0.0.1 port ${port}: nothing listens there (ECONNREFUSED)`,
    )
  })

  test('by what the system says of a socket that this user may not use', {
    skip: process.getuid?.() === 0 && 'root may use all',
  }, async t => {
    const path = join(await directory(t), 'closed.sock')
    const server = createServer().listen(path)
    t.after(() => server.close())
    await once(server, 'listening')
    await chmod(path, 0)
    assert.match(
      describeRefusal({ reason: 'down', error: await connectError({ path }) }),
      /may not do that \(EACCES\)/,
    )
  })

  for (const [error, text] of [
    [
      system('EACCES', { address: '/run/docker.sock' }),
      'down: cannot connect to /run/docker.sock: this user may not do that (EACCES)',
    ],
    [
      system('EMFILE', { address: '127.0.0.1', port: 22 }),
      'down: cannot connect to 127.0.0.1 port 22: this process has as many open files and sockets as it may have (EMFILE)',
    ],
    [
      new AggregateError([
        system('ECONNREFUSED', { address: '::1', port: 22 }),
        system('ECONNREFUSED', { address: '127.0.0.1', port: 22 }),
      ]),
      'down: cannot connect to ::1 port 22: nothing listens there (ECONNREFUSED)',
    ],
    [
      Object.assign(new Error('The service did not accept within 10000 ms.'), { name: 'TimeoutError' }),
      'down: the service did not accept within 10000 ms',
    ],
    [new Error(''), 'down: the service did not accept the connection'],
    [undefined, 'down: the service did not accept the connection'],
  ] as const)
    test(text, () =>
      assert.equal(describeRefusal({ reason: 'down', ...(error === undefined ? {} : { error }) }), text),
    )
})

test('every other reason has a meaning', () => {
  for (const reason of [
    'unknown',
    'not-allowed',
    'ticket-unknown',
    'ticket-expired',
    'ticket-used-up',
    'ticket-guesses',
    'busy',
    'malformed',
    'silent',
    'gone',
  ] satisfies ServiceRefusal[])
    assert.match(describeRefusal({ reason }), new RegExp(`^${reason}: \\w.{15,}$`))
})

test('the path of a Unix socket that is too long is refused when it is given', () => {
  const place = { directory: '/', home: '/' }
  const longest = process.platform === 'linux' ? 107 : 103
  const pathOf = (bytes: number): string => `web=unix:/${'x'.repeat(bytes - 1)}`
  assert.ok('path' in serviceKind.parse(pathOf(longest), place))
  assert.throws(() => serviceKind.parse(pathOf(longest + 1), place), /at most \d+ bytes, and \/x+ has \d+/)
  // bytes, not characters
  assert.throws(() => serviceKind.parse(`web=unix:/${'ü'.repeat(60)}`, place), /has 121/)
})
