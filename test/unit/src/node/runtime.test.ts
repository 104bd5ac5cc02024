import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertRuntime } from '../../../../src/node/runtime.ts'

describe('Node.js', () => {
  for (const version of ['20.20.2', '22.22.0', '24.18.9', '25.9.0', '26.3.1'])
    it(`${version} is refused, and told why`, () => {
      assert.throws(() => assertRuntime(version), {
        name: 'UnsupportedRuntimeError',
        message: new RegExp(`${version} cannot share a port .* Use Node\\.js 24\\.19 or later`),
      })
    })

  for (const version of ['24.19.0', '24.21.0', '26.4.0', '27.0.0'])
    it(`${version} will do`, () => assertRuntime(version))
})
