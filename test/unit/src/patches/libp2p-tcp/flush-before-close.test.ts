/** What was sent last arrives although the listener is closed. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tcp } from '../../../../../src/transport/shared-port-tcp.ts'
import { lastWords } from './last-words.ts'

const MIB = 1024 * 1024

test('a connection that was accepted sends what it has been given in the same turn', async () => {
  assert.equal(await lastWords(tcp(), 1), 1)
})

test('a connection that was accepted sends more than the kernel takes at once', async () => {
  assert.equal(await lastWords(tcp(), 16 * MIB), 16 * MIB)
})
