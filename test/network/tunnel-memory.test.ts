/**
 * A tunnel between a fast writer and a slow reader holds what its buffers are meant to hold, and no more.
 *
 * Both nodes, the writer and the reader live in this process, so its resident memory sees every place where bytes could
 * pile up. That the test can fail is shown by what it waits for: the writer has to come to a standstill while nobody
 * reads. Without back-pressure anywhere on the way it never would, and would grow by the whole gibibyte.
 */
import { strict as assert } from 'node:assert'
import { inTime, once } from '../waits.ts'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { call, connectNodes, exposePort, forward, paths, serve } from './tunnel-nodes.ts'

const MiB = 1024 * 1024
const total = 1024 * MiB

for (const path of paths)
  test(`1 GiB to a reader that starts late takes less than 150 MiB of memory, ${path}`, {
    timeout: 240_000,
  }, async t => {
    const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
    const service = await serve(t, socket => resolve(socket.pause()))
    const nodes = await connectNodes(t, path)
    const services = await exposePort(t, nodes, service.port)
    const closed = once(services, 'service:closed', { timeoutMs: 240_000 })
    const local = await forward(t, nodes)
    const caller = await call(t, local.address.port)

    const before = process.memoryUsage.rss()
    let peak = before
    const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20)
    t.after(() => clearInterval(sampling))

    // Every chunk starts with its number: one lost or out of place shifts all that follow.
    let written = 0
    const chunk = Buffer.alloc(MiB)
    const writing = (async () => {
      for (let index = 0; written < total; index++) {
        chunk.writeUInt32BE(index)
        await new Promise(done => caller.write(chunk, done))
        written += MiB
      }
      caller.end()
    })()

    await standstill(() => written)
    // Two windows of yamux, 16 MiB each, and the kernel's socket buffers.
    assert.ok(written < 64 * MiB, `${written / MiB} MiB went out before anyone read`)

    let read = 0
    for await (const chunk of await accepted) {
      const bytes = chunk as Buffer
      const offset = (MiB - (read % MiB)) % MiB
      if (offset + 4 <= bytes.byteLength) assert.equal(bytes.readUInt32BE(offset), Math.ceil(read / MiB))
      read += bytes.byteLength
    }
    ;(await accepted).end()
    await Promise.all([writing, once(caller.resume(), 'end')])
    assert.equal(read, total)
    assert.equal((await closed)[0].detail.bytesIn, total)
    const growth = Math.round((peak - before) / MiB)
    t.diagnostic(`resident memory grew by ${growth} MiB`)
    assert.ok(growth < 150, `resident memory grew by ${growth} MiB`)
  })

/** Resolves when a count has not changed for a quarter of a second, which a loopback transfer under way never shows. */
async function standstill(count: () => number): Promise<void> {
  let last = count()
  const stands = Promise.withResolvers<void>()
  const timer = setInterval(() => {
    if (last > 0 && last === count()) stands.resolve()
    last = count()
  }, 250)
  try {
    await inTime(stands.promise, 'the transfer stands still', 60_000)
  } finally {
    clearInterval(timer)
  }
}
