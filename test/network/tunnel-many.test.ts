/**
 * A thousand connections through one tunnel at once: each gets its own bytes, none starves, those that do not read hold up nobody, and the memory stays bounded.
 */

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { call, connectNodes, exposePort, forward, paths, serveEcho } from './tunnel-nodes.ts'
import { once } from '../waits.ts'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

const CONNECTIONS = 1000
const SLOW = 50
const KIB = 1024
const BYTES = 256 * KIB

/** Opens connections, a few at a time: a listener's queue holds no thousand (`backlog` of node:net, 511). */
async function openAll(t: TestContext, port: number): Promise<Socket[]> {
  const callers: Socket[] = []
  while (callers.length < CONNECTIONS)
    callers.push(...(await Promise.all(Array.from({ length: 100 }, () => call(t, port)))))
  return callers
}

/** What one caller sends, so that bytes of another would be noticed. */
function messageOf(index: number): Buffer {
  return Buffer.alloc(BYTES, `${index} `)
}

for (const path of paths)
  test(`1,000 connections at once all complete, and side by side, ${path}`, { timeout: 240_000 }, async t => {
    const { port } = await serveEcho(t)
    const nodes = await connectNodes(t, path)
    await exposePort(t, nodes, port)
    const callers = await openAll(t, (await forward(t, nodes)).address.port)
    // all are open at the same time: each is answered before any of them goes on
    await Promise.all(
      callers.map(async caller => {
        caller.write('?')
        await once(caller, 'data', { timeoutMs: 200_000 })
      }),
    )
    const before = process.memoryUsage.rss()
    const [slow, quick] = [callers.slice(0, SLOW), callers.slice(SLOW)]
    for (const [index, caller] of slow.entries()) caller.pause().end(messageOf(index))

    const received = quick.map(() => 0)
    let atHalf: number[] | undefined
    let total = 0
    await Promise.all(
      quick.map(async (caller, index) => {
        const chunks: Buffer[] = []
        caller.end(messageOf(index))
        for await (const chunk of caller as AsyncIterable<Buffer>) {
          chunks.push(chunk)
          received[index]! += chunk.byteLength
          total += chunk.byteLength
          if (total > (quick.length * BYTES) / 2) atHalf ??= [...received]
        }
        assert.ok(Buffer.concat(chunks).equals(messageOf(index)))
      }),
    )
    const growth = (process.memoryUsage.rss() - before) / KIB / KIB
    const shares = (atHalf ?? []).toSorted((a, b) => a - b).map(bytes => bytes / BYTES)
    const least = shares[Math.floor(shares.length / 20)] ?? 0
    t.diagnostic(
      `when half was through, all but 5 % had ${(least * 100).toFixed(0)} % or more; memory grew by ${growth.toFixed(0)} MiB`,
    )
    assert.ok(least > 0.1, `${least}`)
    for (const [index, caller] of slow.entries()) {
      const chunks: Buffer[] = []
      for await (const chunk of caller as AsyncIterable<Buffer>) chunks.push(chunk)
      assert.ok(Buffer.concat(chunks).equals(messageOf(index)))
    }
  })
