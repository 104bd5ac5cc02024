/** Exit codes are a contract with scripts: each error has the code that the contract gives it. */

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { exitCodeOf, exitCodeOfSignal } from '../../../../src/cli/exit-codes.ts'
import { describeProblem, printable } from '../../../../src/cli/output/problem.ts'
import * as errors from '../../../../src/errors.ts'

const named = (name: string): Error => Object.assign(new Error('x'), { name })
const system = (code: string, syscall: string): Error =>
  Object.assign(new Error(`${syscall} ${code}: no 192.0.2.1:80`), {
    code,
    syscall,
    address: '192.0.2.1',
    port: 80,
  })

const table: [code: number, error: unknown][] = [
  [1, new Error('x')],
  [1, new TypeError('x')],
  [1, 'a text'],
  [1, undefined],
  [1, named('AssertionError')],
  [1, new Error('x', { cause: new TypeError('y') })],
  [2, new errors.UsageError('x')],
  [2, new errors.InvalidTargetError('x', 'y')],
  [3, new errors.InvalidConfigError([])],
  [3, new errors.IdentityError('x', '/key')],
  [3, new errors.UnsupportedRuntimeError('x')],
  [3, new errors.UpstreamChangedError('a', '1', ['b'])],
  [3, named('ListenError')],
  [3, system('EADDRINUSE', 'listen')],
  [3, system('EACCES', 'listen')],
  [3, system('EADDRNOTAVAIL', 'bind')],
  [3, new Error('wrapped', { cause: system('EADDRINUSE', 'listen') })],
  [2, named('InvalidMultiaddrError')],
  [3, system('EACCES', 'open')],
  [3, named('UnsupportedKeyTypeError')],
  [3, named('PutFailedError')],
  [4, named('toString')],
  [4, named('AbortError')],
  [4, named('StreamResetError')],
  [4, named('ConnectionClosedError')],
  [4, system('ECONNREFUSED', 'connect')],
  [4, new errors.UnreachableError('x')],
  [4, named('TimeoutError')],
  [4, new errors.ServiceRefusedError('refused', 'web', 'x')],
  [5, new errors.HolePunchFailedError('timed-out', 'peer')],
]
for (const [index, [code, error]] of table.entries()) {
  const name = error instanceof Error ? `${error.name} (${error.message})` : String(error)
  test(`row ${index}: ${name} ends with ${code}`, () => assert.equal(exitCodeOf(error), code))
}

test('every error class of this project has an exit code other than that of a bug', () => {
  const classes = Object.values(errors).filter(one => typeof one === 'function')
  assert.ok(classes.length > 5)
  for (const { name } of classes) assert.notEqual(exitCodeOf(named(name)), 1, name)
})

test('signals end with 128 and their number', () => {
  assert.deepEqual((['SIGHUP', 'SIGINT', 'SIGTERM'] as const).map(exitCodeOfSignal), [129, 130, 143])
})

test('errors that are causes of each other do not loop', () => {
  const first = new Error('x')
  first.cause = new Error('y', { cause: first })
  assert.equal(exitCodeOf(first), 1)
})

test('a port in use is told with the address and what to do', async t => {
  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  t.after(() => taken.close())
  const { port } = taken.address() as { port: number }
  const second = createServer()
  const error = await new Promise<unknown>(resolve => second.on('error', resolve).listen(port, '127.0.0.1'))
  assert.equal(
    describeProblem(error),
    `error: Cannot listen on 127.0.0.1 port ${port}: the port is in use. Stop the program that uses it, or choose another port.`,
  )
})

test('an error thrown on purpose is one line', () => {
  assert.equal(describeProblem(new errors.UnreachableError('No way\n  to peer.\n')), 'error: No way to peer.')
})

test('a bug comes with its stack and its cause', () => {
  const told = describeProblem(new TypeError('x is not a function', { cause: new Error('deeper') }))
  assert.match(told, /this is a bug.*\nTypeError: x is not a function\n\s+at /)
  assert.match(told, /deeper/)
})

test('one problem is one line, several are a list', () => {
  const problem = { where: 'relay.yaml:3', what: 'is wrong' }
  assert.equal(describeProblem(new errors.InvalidConfigError([problem])), 'error: relay.yaml:3: is wrong')
  const several = describeProblem(new errors.InvalidConfigError([problem, { where: '--port', what: 'too' }]))
  assert.equal(several, 'error: 2 problems\n  relay.yaml:3: is wrong\n  --port: too')
})

test('nothing that a remote peer says can steer the terminal', () => {
  assert.equal(printable('a\u001b[31mred\u0007\u202eb\r\n\tc\u009b'), 'a[31mredb\n\tc')
})
