/**
 * Fetches a page from the server, from anywhere.
 *
 *     node examples/http/fetch.ts TARGET [PATH]
 */

import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { createPeer } from 'throughnat'
import { StreamDuplex } from '../stream-duplex.ts'
import type { IncomingMessage } from 'node:http'

const [target, path = '/'] = process.argv.slice(2)
if (target === undefined) {
  console.error('usage: node fetch.ts TARGET [PATH]      (TARGET is what server.ts prints)')
  process.exit(2)
}

const peer = await createPeer()
process.once('SIGINT', () => void peer.stop().then(() => process.exit(130)))
try {
  const connection = await peer.connect(target, { signal: AbortSignal.timeout(20_000) })
  const duplex = new StreamDuplex(await connection.newStream('/example/http/1'))
  // one stream a request, as one connection would be; `host` is for the server and leads nowhere
  const sent = request({ path, host: 'behind-a-nat', createConnection: () => duplex }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  console.log(`${response.statusCode} over a ${connection.path} path`)
  console.log(await text(response))
  // the request closes it, and peer.stop() would cut it
  if (!duplex.closed) await once(duplex, 'close')
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await peer.stop()
}
