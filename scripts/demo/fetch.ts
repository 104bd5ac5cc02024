/** Fetches a page, as a browser on the dialer's machine would, and prints what came. `node fetch.ts URL`. */

import { createHash } from 'node:crypto'

const [url = ''] = process.argv.slice(2)
const startedAt = performance.now()
const response = await fetch(url, { signal: AbortSignal.timeout(30_000) })
const body = Buffer.from(await response.arrayBuffer())
console.log(
  JSON.stringify({
    status: response.status,
    bytes: body.length,
    sha256: createHash('sha256').update(body).digest('hex'),
    elapsedMs: performance.now() - startedAt,
  }),
)
