/** netcheck without a NAT, and with relays that are down, old, silent, or lie. The NATs are in test/lab/netcheck.test.ts. */

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { runNetcheck } from '../../peer/netcheck/netcheck.ts'
import { startRemote } from './dial-back-stage.ts'
import { startRelay, startTrap } from './circuit-stage.ts'
import { Program, THROUGHNAT } from './program.ts'
import { once } from '../waits.ts'
import type { IdentifyComponents } from '@libp2p/identify'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Multiaddr } from '@multiformats/multiaddr'

const SOMEBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const DOWN = multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`)
const LIMIT = { timeout: 60_000 }

/** Two hosts, as far as a relay's address tells. */
async function startRelays(t: TestContext): Promise<Multiaddr[]> {
  const [one] = (await startRelay(t)).addrs
  const [other] = (await startRelay(t, { listen: ['/ip4/127.0.0.2/tcp/0'] })).addrs
  return [one, other] as Multiaddr[]
}

describe('netcheck', { concurrency: true }, () => {
  it('finds nothing between this host and relays on it', LIMIT, async t => {
    const relays = await startRelays(t)
    const report = await runNetcheck(relays)
    assert.partialDeepStrictEqual(report, {
      mapping: 'none',
      filtering: 'endpoint-independent',
      unsolicited: 'refused',
      portPreserving: null,
      hairpinning: null,
      doubleNat: false,
      portMapping: null,
    })
    assert.deepEqual(
      report.relays.map(({ addr }) => addr),
      relays.map(String),
    )
    for (const { endpoint, localPort } of report.observed)
      assert.equal(endpoint, `/ip4/127.0.0.1/tcp/${localPort}`)
    assert.match(report.verdict, /^Nothing is in the way/)
  })

  it('leaves no connection at a relay', LIMIT, async t => {
    const relay = await startRelay(t)
    await runNetcheck(relay.addrs)
    while (relay.libp2p.getConnections().length > 0) await once(relay.libp2p as never, 'connection:close')
    assert.equal(relay.libp2p.getConnections().length, 0)
  })

  it('goes on with the relays that are there, and tells what is wrong with the rest', LIMIT, async t => {
    const relays = await startRelays(t)
    const report = await runNetcheck([DOWN, ...relays])
    assert.equal(report.filtering, 'endpoint-independent')
    assert.deepEqual(report.relays[0], {
      addr: DOWN.toString(),
      rttMs: null,
      problem: 'nothing listens there (ECONNREFUSED)',
    })
  })

  it('looks up names', LIMIT, async t => {
    const [relay] = await startRelays(t)
    const named = multiaddr(String(relay).replace('/ip4/127.0.0.1/', '/dns4/localhost/'))
    const { relays, mapping, why } = await runNetcheck([named])
    assert.deepEqual([relays[0]?.addr, mapping, why.mapping], [String(relay), 'none', undefined])
  })

  it('names the relay that does not dial back', LIMIT, async t => {
    const { addr } = await startOld(t)
    const { mapping, filtering, why } = await runNetcheck([addr])
    assert.deepEqual([mapping, filtering], ['none', 'unknown'])
    assert.match(why.filtering ?? '', /does not support dial-backs \(AutoNAT v2\)/)
  })

  it('dials nothing that a relay claims to see and cannot', LIMIT, async t => {
    const trap = await startTrap(t)
    const { addr } = await startOld(t, multiaddr(`/ip4/192.168.77.1/tcp/${trap.port}`))
    const { mapping, filtering, why } = await runNetcheck([addr])
    assert.deepEqual([mapping, filtering], ['unknown', 'unknown'])
    assert.match(why.mapping ?? '', /which is impossible/)
  })

  it('ends in its time where a relay takes connections and says nothing', LIMIT, async t => {
    const mute = createServer(socket => t.after(() => socket.destroy())).listen(0, '127.0.0.1')
    t.after(() => mute.close())
    await once(mute, 'listening')
    const { port } = mute.address() as AddressInfo
    const startedAt = performance.now()
    const report = await runNetcheck([multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${SOMEBODY}`)], {
      timeoutMs: 1_000,
    })
    assert.ok(performance.now() - startedAt < 3_000)
    assert.equal(report.relays[0]?.problem, 'no answer in time')
    assert.match(report.verdict, /^No relay was reached/)
  })

  it('is ended by its signal', LIMIT, async t => {
    const relays = await startRelays(t)
    const reason = new Error('never mind')
    const stop = new AbortController()
    const running = runNetcheck(relays, { signal: stop.signal })
    stop.abort(reason)
    await assert.rejects(running, reason)
    await assert.rejects(runNetcheck(relays, { signal: stop.signal }), reason)
  })
})

/** A relay without AutoNAT v2, which may lie about what it sees. */
async function startOld(t: TestContext, seen?: Multiaddr): Promise<{ addr: Multiaddr }> {
  const remote = await startRemote(t, {
    ping: ping(),
    identify: (components: IdentifyComponents) => {
      const service = identify()(components)
      const lying = service as unknown as {
        handleProtocol?: (stream: unknown, connection: object) => Promise<void>
      }
      const handle = lying.handleProtocol?.bind(service)
      if (seen !== undefined && handle !== undefined)
        lying.handleProtocol = async (stream, connection) =>
          handle(stream, Object.create(connection, { remoteAddr: { value: seen } }))
      return service
    },
  })
  return remote
}

describe('throughnat netcheck', { concurrency: true }, () => {
  it('prints one line of JSON', LIMIT, async t => {
    const relays = await startRelays(t)
    const args = relays.flatMap(relay => ['--relay', relay.toString()])
    const program = new Program(t, THROUGHNAT, ['netcheck', '--json', ...args])
    assert.equal(await program.ended(), 0)
    const [report, ...rest] = program.lines
    assert.deepEqual([report?.event, report?.['mapping'], rest], ['netcheck', 'none', []])
    assert.equal(typeof report?.['verdict'], 'string')
  })

  it('prints a table for people, the verdict last', LIMIT, async t => {
    const [relay] = await startRelays(t)
    const program = new Program(t, THROUGHNAT, ['netcheck', '--relay', String(relay)], { json: false })
    assert.equal(await program.ended(), 0)
    assert.match(program.stdout, /^Mapping {13}none\n/)
    assert.match(program.stdout, /\n\n[A-Z].*\.\n$/)
  })

  it('ends with 4 where no relay is reached, and says so in its report', LIMIT, async t => {
    const program = new Program(t, THROUGHNAT, ['netcheck', '--json', '--relay', DOWN.toString()])
    assert.equal(await program.ended(), 4)
    assert.match(String(program.lines[0]?.['verdict']), /ECONNREFUSED/)
  })

  it('ends with 3 where no relay is given', LIMIT, async t => {
    const program = new Program(t, THROUGHNAT, ['netcheck'])
    assert.equal(await program.ended(), 3)
    assert.match(program.stderr, /--relay: missing/)
  })
})
