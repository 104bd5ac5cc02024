/** Whose questions are answered when the admission program is slow and one remote asks without end. */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { CallOut } from '../../../../relay/admission/call-out.ts'
import { peer } from '../peers.ts'
import { once, until } from '../../../waits.ts'
import type { Connection } from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Verdict, Visitor } from '../../../../relay/admission/admission.ts'

const LIMIT = { timeout: 30_000 }
const INNOCENT = peer(0)

/** A program that admits the innocent and answers nobody else. */
async function startProgram(t: TestContext, maxQuestions?: number): Promise<CallOut> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      if (body.includes(INNOCENT.toString())) response.end('{"allow":true}')
    })
  })
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new CallOut(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, maxQuestions)
}

function visitor(id: number, ip: string): Visitor {
  const remoteAddr = multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/4001`)
  return { peerId: peer(id), remoteAddr, connection: {} as Connection }
}

/** Fewer than a relay allows, so that the test is quick on a busy machine; and the shares of a network and of a peer. */
const MAX_QUESTIONS = 16
const OF_NETWORK = 8
const OF_PEER = 4

describe('an admission program that has all its questions', () => {
  for (const [what, share, attacker, innocent] of [
    ['of one peer answers a peer of another network', OF_PEER, () => visitor(1, '192.0.2.1'), '198.51.100.1'],
    [
      'of one address answers its neighbour',
      OF_NETWORK,
      (n: number) => visitor(1 + n, '192.0.2.1'),
      '192.0.2.2',
    ],
    ['of one peer answers another one at its address', OF_PEER, () => visitor(1, '192.0.2.1'), '192.0.2.1'],
    [
      'of ten ids answers one more at their address',
      OF_NETWORK,
      (n: number) => visitor(1 + n, '192.0.2.1'),
      '192.0.2.1',
    ],
    [
      'of one IPv6 site answers another one',
      OF_NETWORK,
      (n: number) => visitor(1 + n, '2001:db8:0:1::1'),
      '2001:db8:0:100::1',
    ],
  ] as const)
    it(what, LIMIT, async t => {
      const program = await startProgram(t, MAX_QUESTIONS)
      const verdicts: Verdict[] = []
      const attacks = Array.from({ length: MAX_QUESTIONS + 20 }, async (_, n) => {
        verdicts.push(await program.ask('reserve', attacker(n % 10), undefined, {}))
      })
      const denied = MAX_QUESTIONS + 20 - share
      await until(() => verdicts.length === denied, 'the questions beyond the limit are denied')
      assert.deepEqual([...new Set(verdicts.map(it => it?.deniedBy))], ['the admission program is too slow'])
      assert.equal(await program.ask('reserve', visitor(0, innocent), undefined, {}), undefined)
      assert.equal(await program.ask('connect', visitor(0, innocent), peer(2), {}), undefined)
      await Promise.all(attacks)
      assert.ok(verdicts.every(it => it !== undefined))
      assert.equal(await program.ask('reserve', visitor(0, innocent), undefined, {}), undefined)
    })

  it('ends a question whose asker has gone', LIMIT, async t => {
    const program = await startProgram(t)
    const gone = new AbortController()
    const asking = program.ask('reserve', visitor(1, '192.0.2.1'), undefined, { signal: gone.signal })
    gone.abort(new Error('it has gone'))
    assert.match((await asking)?.deniedBy ?? '', /it has gone/)
  })
})
