/** Errors: told apart by name, and each says what to do. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import * as errors from '../../src/errors.ts'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'

const classes = Object.entries(errors).filter(([, value]) => typeof value === 'function') as Array<
  [string, { name: string }]
>

describe('every error class', () => {
  for (const [exported, { name }] of classes)
    test(`${exported} is named as it is exported`, () => assert.equal(name, exported))

  test('has a name that its instances carry', () => {
    assert.equal(new errors.UnreachableError('x').name, 'UnreachableError')
    assert.equal(new errors.HolePunchFailedError('refused', 'p').name, 'HolePunchFailedError')
    assert.equal(new errors.InvalidTargetError('x', 'y').name, 'InvalidTargetError')
  })

  test('has an exit code of its own kind, and is no bug', () => {
    const codes = classes.map(([exported]) => exitCodeOf(Object.assign(new Error('x'), { name: exported })))
    assert.deepEqual(
      classes.filter((_, n) => codes[n] === exitCodes.bug).map(([exported]) => exported),
      [],
    )
  })
})

describe('every reason for which a punch fails', async () => {
  // the type is gone at run time, so its text is read
  const source = await readFile(new URL('../../src/errors.ts', import.meta.url), 'utf8')
  const [, union = ''] = /export type HolePunchFailure =([^]*?)\n\n/.exec(source) ?? []
  const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason as errors.HolePunchFailure)

  test('is in the table of advice, and nothing else is', () => {
    assert.ok(reasons.length >= 10)
    assert.deepEqual(Object.keys(errors.holePunchAdvice).toSorted(), reasons.toSorted())
  })

  for (const reason of reasons) {
    test(`${reason} is explained in the type's text and in the message`, () => {
      assert.match(source, new RegExp(`^ \\* - \`${reason}\`: \\w+`, 'm'))
      const error = new errors.HolePunchFailedError(reason, '12D3KooWPeer')
      assert.equal(error.reason, reason)
      assert.match(error.message, /12D3KooWPeer/)
      assert.ok(error.message.includes(`(${reason}): ${errors.holePunchAdvice[reason]}.`))
      assert.ok(errors.holePunchAdvice[reason].length > 15)
    })
  }
})

test('all problems of a configuration are in one message, each where it is', () => {
  const error = new errors.InvalidConfigError([
    { where: '--port', what: 'too large' },
    { where: 'relay.yaml:3', what: 'unknown' },
  ])
  assert.equal(error.message, '--port: too large\nrelay.yaml:3: unknown')
  assert.equal(error.problems.length, 2)
})

test('an address that cannot be listened on is named, with the problem', () => {
  const error = new errors.ListenError(['/ip4/127.0.0.1/tcp/1'], 'taken')
  assert.match(error.message, /^Cannot listen on \/ip4\/127\.0\.0\.1\/tcp\/1: taken\./)
})
