/**
 * Calls the echo service through a forward, and reports of each call whether everything came back.
 *
 *     node caller.ts PORT BYTES          one call
 *     node caller.ts PORT BYTES EVERY    a new one every EVERY milliseconds, until stdin ends; then those under way end
 */

import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { setInterval } from 'node:timers/promises'
import { report } from './machine.ts'

const CALL_TIMEOUT_MS = 15_000

const [port = 0, bytes = 0, everyMs] = process.argv.slice(2).map(Number)
if (everyMs === undefined) await call(1)
else await callUntilStopped(everyMs)

async function callUntilStopped(pauseMs: number): Promise<void> {
  const stopped = new AbortController()
  process.stdin.once('end', () => stopped.abort()).resume()
  const calls: Promise<void>[] = []
  try {
    for await (const _ of setInterval(pauseMs, undefined, { signal: stopped.signal }))
      calls.push(call(calls.length + 1))
  } catch (error) {
    if (!stopped.signal.aborted) throw error
  }
  await Promise.all(calls)
  report('calls:ended', { calls: calls.length })
}

async function call(number: number): Promise<void> {
  const startedAt = Date.now()
  const tell = (event: string, fields: object = {}): void =>
    report(event, { call: number, startedAt, ms: Date.now() - startedAt, ...fields })
  try {
    await exchange(randomBytes(bytes))
    tell('call:succeeded')
  } catch (error) {
    tell('call:failed', { error: (error as Error).message })
  }
}

/** Sends everything, and checks that it comes back and that the connection then ends. */
async function exchange(data: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const timer = setTimeout(() => socket.destroy(new Error('it took too long')), CALL_TIMEOUT_MS)
  try {
    socket.end(data)
    const back = createHash('sha256')
    let count = 0
    for await (const chunk of socket) {
      back.update(chunk as Buffer)
      count += (chunk as Buffer).length
    }
    if (back.digest('hex') !== createHash('sha256').update(data).digest('hex'))
      throw new Error(`${count} bytes of ${data.length} came back, or others`)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
