/**
 * Runs suites that are written for mocha under node:test, with `describe`, `it` and the hooks as globals.
 *
 * `@libp2p/interface-compliance-tests` also needs `aegir/chai`. aegir has hundreds of dependencies, so package.json
 * overrides it, and that import resolves to aegir-chai.mjs. Both work only for modules that are imported later: import
 * a suite dynamically.
 */

import { registerHooks } from 'node:module'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

/** What the suites use of mocha's `this`. */
interface TestThis {
  skip(): void
  timeout(ms: number): void
}

type SuiteThis = Pick<TestThis, 'timeout'>

/**
 * Time for one test, in milliseconds. The suites have limits of up to 27 minutes. The slowest test, 1,000 streams with 100
 * messages each over a connection that takes five messages at a time, takes one minute on two cores and four under load.
 */
const TEST_LIMIT_MS = 600_000

/** {@link TEST_LIMIT_MS} applies instead. */
const timeout = (): void => {}

const mocha = {
  after,
  afterEach,
  before,
  beforeEach,
  describe: (title: string, body: (this: SuiteThis) => void) => {
    void describe(title, () => body.call({ timeout }))
  },
  it: (title: string, body: (this: TestThis) => unknown) => {
    void it(title, { timeout: TEST_LIMIT_MS }, async context => {
      await body.call({ skip: () => context.skip(), timeout })
    })
  },
}

Object.assign(globalThis, mocha)

const chai = new URL('aegir-chai.mjs', import.meta.url).href

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'aegir/chai' ? { url: chai, shortCircuit: true } : next(specifier, context),
})
