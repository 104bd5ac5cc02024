/**
 * No error that a library, Node.js or the operating system can throw is called a bug, except for failed assertions.
 *
 * The names and codes are collected from what is installed, so that a new version of a library cannot add one unnoticed.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { getSystemErrorMap } from 'node:util'
import { assertionCodes, exitCodeOf, exitCodes } from '../../../../src/cli/exit-codes.ts'
import { describeProblem } from '../../../../src/cli/output/problem.ts'
import { describeSystemError, meaningOf } from '../../../../src/failures/system-errors.ts'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean }>
}

/** The directories of all packages that are installed along with this one. */
const installed = Object.entries(
  (JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock).packages,
)
  .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
  .map(([path]) => path)
  // it is a script for node-gyp, which prints where it is
  .filter(path => path !== 'node_modules/napi-macros')

const isBug = (error: unknown): boolean => exitCodeOf(error) === exitCodes.bug

const coded = (code: string, fields: object = {}): Error =>
  Object.assign(new Error(`it failed with ${code}`), { code }, fields)

/** The error classes that a package exports, by import. Not all of its entries can be loaded in Node.js. */
async function errorClassesOf(path: string): Promise<Map<string, new (...args: unknown[]) => Error>> {
  const { exports } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as {
    exports?: Record<string, unknown>
  }
  const entries = Object.keys(exports ?? {}).filter(it => /^\.(\/[\w/-]+)?$/.test(it))
  const name = path.replace('node_modules/', '')
  const classes = new Map<string, new (...args: unknown[]) => Error>()
  for (const entry of entries.length === 0 ? ['.'] : entries) {
    const module = await (import(`${name}${entry.slice(1)}`) as Promise<object>).catch(() => ({}))
    for (const value of [module, ...Object.values(module)].flatMap(valuesOf))
      if (typeof value === 'function' && value.prototype instanceof Error)
        classes.set(value.name, value as new () => Error)
  }
  return classes
}

function valuesOf(value: unknown): unknown[] {
  if (typeof value === 'function') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.keys(value).map(key => {
    try {
      return (value as Record<string, unknown>)[key]
    } catch {
      return undefined
    }
  })
}

/** Not every class can be made without its arguments. */
function instanceOf(ErrorClass: new (...args: unknown[]) => Error): Error {
  try {
    return new ErrorClass('it failed')
  } catch {
    return Object.create(ErrorClass.prototype as object) as Error
  }
}

describe('errors of libraries', async () => {
  let count = 0
  for (const path of installed.filter(it => it.lastIndexOf('node_modules/') === 0)) {
    const classes = await errorClassesOf(path)
    count += classes.size
    if (classes.size === 0) continue
    test(`none that ${path} exports is a bug`, () => {
      const bugs = [...classes].filter(([, it]) => isBug(instanceOf(it))).map(([name]) => name)
      assert.deepEqual(bugs, [])
    })
  }

  test('are found by import', () => assert.ok(count > 60, `${count} classes`))

  test('that only stand in the source of a library are no bugs either', () => {
    const names = new Set<string>()
    for (const path of installed)
      for (const file of globSync(`${path}/dist/src/**/*.js`, { cwd: ROOT }))
        for (const [, name = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(
          /\bname\s*=\s*['"](\w+(?:Error|Warning))['"]/g,
        ))
          names.add(name)
    assert.ok(names.has('EncryptionFailedError') && names.has('StreamResetError'))
    const bugs = [...names].filter(name => isBug(Object.assign(new Error('it failed'), { name })))
    assert.deepEqual(bugs, [])
  })

  test('that have only a code are no bugs', () => {
    const codes = [
      'LEVEL_LOCKED',
      'LEVEL_CORRUPTION',
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'UND_ERR_SOCKET',
      'HPE_INVALID_CONSTANT',
      'commander.unknownOption',
      'ERR_MAX_MSGS_IN_BUFFER',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_OSSL_UNSUPPORTED',
      'ERR_DLOPEN_FAILED',
      'MODULE_NOT_FOUND',
    ]
    assert.deepEqual(
      codes.filter(code => isBug(coded(code))),
      [],
    )
  })

  test('of the web are no bugs', () => {
    const names = [
      'AbortError',
      'TimeoutError',
      'NotFoundError',
      'NetworkError',
      'InvalidStateError',
      'OperationError',
    ]
    assert.deepEqual(
      names.filter(name => isBug(new DOMException('x', name))),
      [],
    )
  })
})

describe('errors of Node.js', () => {
  const codes = execFileSync(
    process.execPath,
    [
      '--no-warnings',
      '--expose-internals',
      '-p',
      'Object.keys(require("internal/errors").codes).join("\\n")',
    ],
    { encoding: 'utf8', timeout: 10_000 },
  )
    .trim()
    .split('\n')

  test('are bugs only where Node.js asserts something of itself or of its caller', () => {
    assert.ok(codes.length > 250)
    const bugs = codes.filter(code => isBug(coded(code)))
    assert.deepEqual(bugs.toSorted(), [...assertionCodes].toSorted())
  })

  test('are no bugs as TypeError or RangeError either', () => {
    for (const ErrorClass of [TypeError, RangeError, SyntaxError])
      for (const code of codes.filter(it => !assertionCodes.has(it)))
        assert.ok(!isBug(Object.assign(new ErrorClass('x'), { code })), code)
  })

  test('keep their own words', () => {
    const error = coded('ERR_TLS_CERT_ALTNAME_INVALID')
    assert.equal(describeProblem(error), 'error: it failed with ERR_TLS_CERT_ALTNAME_INVALID')
  })
})

describe('errors of the operating system', () => {
  const names = new Set([
    ...Object.keys(constants.errno),
    ...[...getSystemErrorMap().values()].map(([name]) => name),
  ])

  test('are no bugs, whatever failed', () => {
    for (const syscall of ['open', 'read', 'write', 'connect', 'listen', 'bind', 'rename', undefined])
      assert.deepEqual(
        [...names].filter(code => isBug(coded(code, { syscall }))),
        [],
      )
  })

  test('each have a meaning that goes beyond the code', () => {
    const without = [...names].filter(code => {
      const meaning = meaningOf(code) ?? ''
      return meaning.length < 5 || meaning.includes(code)
    })
    assert.deepEqual(without, [])
  })

  const cases: ReadonlyArray<[exitCode: number, fields: object, text: string]> = [
    [3, { code: 'ENOSPC', syscall: 'write' }, 'Cannot write: the disk is full (ENOSPC).'],
    [
      3,
      { code: 'ENOENT', syscall: 'open', path: '/etc/x' },
      'Cannot open /etc/x: it does not exist (ENOENT).',
    ],
    [
      3,
      { code: 'EROFS', syscall: 'mkdir', path: '/x' },
      'Cannot make the directory /x: the file system is read-only (EROFS).',
    ],
    [
      3,
      { code: 'Unknown system error -122', errno: -122, syscall: 'write' },
      'Cannot write: the disk quota of this user is used up (EDQUOT).',
    ],
    [4, { code: 'ECONNRESET', syscall: 'read' }, 'Cannot read: the connection was reset (ECONNRESET).'],
    [
      4,
      { code: 'ECONNREFUSED', syscall: 'connect', address: '192.0.2.1', port: 80 },
      'Cannot connect to 192.0.2.1 port 80: nothing listens there (ECONNREFUSED).',
    ],
    [
      4,
      { code: 'EACCES', syscall: 'connect', address: '/run/x.sock' },
      'Cannot connect to /run/x.sock: this user may not do that (EACCES).',
    ],
    [
      4,
      { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'a.example' },
      'Cannot look up a.example: the name does not exist (ENOTFOUND).',
    ],
    [
      4,
      { code: 'EAI_AGAIN', syscall: 'getaddrinfo', hostname: 'a.example' },
      'Cannot look up a.example: the name server does not answer (EAI_AGAIN).',
    ],
    [
      3,
      { code: 'ERR_SYSTEM_ERROR', info: { code: 'ENOENT', syscall: 'uv_os_homedir' } },
      'Cannot find the home directory: it does not exist (ENOENT).',
    ],
  ]
  for (const [exitCode, fields, text] of cases)
    test(`${exitCode}: ${text}`, () => {
      const error = Object.assign(new Error('raw'), fields)
      assert.equal(describeSystemError(error), text)
      assert.equal(describeProblem(error), `error: ${text}`)
      assert.equal(exitCodeOf(error), exitCode)
    })
})

describe('no file descriptors', () => {
  for (const [code, text, advice] of [
    ['EMFILE', 'This process has as many open files and sockets as it may have (EMFILE).', 'ulimit -n'],
    [
      'ENFILE',
      'This machine has as many open files and sockets as it may have (ENFILE).',
      'sysctl fs.file-max',
    ],
  ] as const)
    test(`${text} ${advice}`, () => {
      const error = Object.assign(new Error('raw'), { code })
      assert.equal(describeSystemError(error), text)
      assert.equal(describeProblem(error), `error: ${text} Raise the limit (${advice}).`)
      assert.equal(exitCodeOf(error), 3)
    })
})

describe('a wrapped error', () => {
  const refused = coded('ECONNREFUSED', { syscall: 'connect', address: '192.0.2.1', port: 80 })
  const words = 'Cannot connect to 192.0.2.1 port 80: nothing listens there (ECONNREFUSED).'

  test('has the exit code and the words of its cause, also in the TypeError of fetch', () => {
    const error = new TypeError('fetch failed', { cause: refused })
    assert.equal(exitCodeOf(error), 4)
    assert.equal(describeProblem(error), `error: fetch failed: ${words}`)
  })

  test('has those of the first of several', () => {
    const error = new AggregateError([refused, coded('EHOSTUNREACH')])
    assert.equal(exitCodeOf(error), 4)
    assert.equal(describeProblem(error), `error: ${words}`)
  })

  test('is a bug where the cause is one', () => {
    assert.ok(isBug(new Error('x', { cause: new TypeError('y') })))
    assert.ok(isBug(new AggregateError([])))
    assert.ok(isBug(new Error('x', { cause: new assert.AssertionError({ message: 'y' }) })))
  })
})

test('the tests of this file look at the packages that are installed', () => {
  assert.ok(installed.includes('node_modules/libp2p'))
  assert.ok(dirname(fileURLToPath(import.meta.resolve('libp2p'))).startsWith(join(ROOT, 'node_modules')))
})
