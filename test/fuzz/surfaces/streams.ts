/** Resumable streams: one over a carrier, and a listener with all that admits and serves. */

import fc from 'fast-check'
import { defaultLogger } from '@libp2p/logger'
import { streamPair } from '@libp2p/utils'
import { START } from '../../../peer/tunnel/resume/receive-window.ts'
import { MemoryBudget } from '../../../peer/tunnel/resume/memory-budget.ts'
import { ResumableStream } from '../../../peer/tunnel/resume/resumable-stream.ts'
import { TUNNEL_PROTOCOL } from '../../../peer/tunnel/wire/protocol.ts'
import { until } from '../../waits.ts'
import { connectNodes, exposePort, serveEcho } from '../../network/tunnel-nodes.ts'
import { conversation, framed, mutated } from '../frames.ts'
import { answerOf, asTestContext, sendAll } from '../nodes.ts'
import { frames, FRAMES, REQUESTS } from './tunnel.ts'
import type { Entry, Surface } from '../surface.ts'

const carried: Entry = {
  name: 'carried',
  inputs: conversation(frames, 4),
  valid: [FRAMES],
  start: () => async input => {
    const [left, right] = await streamPair()
    for (const stream of [left, right]) stream.pause()
    const stream = new ResumableStream({
      id: 'x'.repeat(22),
      log: defaultLogger().forComponent('fuzz'),
      direction: 'inbound',
      protocol: '/test',
      budget: new MemoryBudget(),
      onLost: () => stream.abort(new Error('lost')),
    })
    stream.attach(left, START)
    stream.resume()
    right.resume()
    // it stays open for a remote that only closes its carrier
    await sendAll(right, input)
    right.abort(new Error('gone'))
    await until(() => stream.status !== 'open' || !stream.isCarried, 'the stream has lost its carrier')
    stream.abort(new Error('done'))
  },
}

const requests = REQUESTS.map(it => framed(Buffer.from(it)))
const asking = fc.oneof(mutated(requests), fc.constantFrom(...requests))

const listener: Entry = {
  name: 'listener',
  inputs: fc.tuple(asking, conversation(frames, 4)).map(([request, rest]) => [request, ...rest]),
  valid: requests.slice(0, 1).map(it => [it, ...FRAMES]),
  start: async stage => {
    const t = asTestContext(stage)
    const { port } = await serveEcho(t)
    const nodes = await connectNodes(t, 'direct')
    await exposePort(t, nodes, port)
    return async input => {
      const stream = await nodes.connection.newStream([TUNNEL_PROTOCOL], {
        maxOutboundStreams: Infinity,
        signal: AbortSignal.timeout(10_000),
      })
      const answer = answerOf(stream)
      await sendAll(stream, input)
      // an accepted stream waits for its remote to resume
      stream.abort(new Error('done'))
      const outcome = await answer
      if (nodes.connection.status !== 'open') throw new Error(`The connection was ended: ${String(outcome)}`)
    }
  },
}

export const streams: Surface = { name: 'streams', entries: [carried, listener] }
