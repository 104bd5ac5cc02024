/**
 * Preloaded into each test file by scripts/test.ts. When all tests of a file have ended, its process has to end by itself. If
 * something keeps it alive, the file fails and names the kinds of handles that are left, long before the limit of its step.
 *
 * `--test-force-exit` would end the process too, but it would hide what was left open.
 */

import { after } from 'node:test'

/** Sockets, servers and child processes that a test has closed are gone within seconds. */
const GRACE_MS = 15_000

// from before a test mocks it
const { setTimeout } = globalThis

// a hook of the file itself: node:test calls it after the last test, even when handles are left
after(() => {
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(
      `${process.argv[1]} does not end ${GRACE_MS / 1000} s after its last test. It has, its own stdio included: ${left}\n`,
    )
    process.exit(1)
  }, GRACE_MS).unref()
})
