/** One punch over a transport that answers as it is told: what it dials, how often, and why it ends. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { endpointOf } from '../../../../../src/addresses/endpoint.ts'
import { LossyPaths } from '../../../../../src/holepunch/paths/lossy-paths.ts'
import { PUNCH_WINDOW_MS, punch } from '../../../../../src/holepunch/punch/punch.ts'
import {
  DIALS_PER_ADDRESS,
  DIALS_PER_SECOND,
  PunchBudget,
} from '../../../../../src/holepunch/punch/punch-budget.ts'
import { InboundClaims } from '../../../../../src/transport/inbound-claims.ts'
import type { Connection, Logger, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PunchInit } from '../../../../../src/holepunch/punch/punch.ts'
import type { PunchTransport } from '../../../../../src/transport/punch-transport.ts'

const remotePeer = peerIdFromString('12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw')
const candidates = ['/ip4/11.0.0.1/tcp/1', '/ip4/11.0.0.2/tcp/2'].map(text => multiaddr(text))

type Dial = (addr: Multiaddr, signal: AbortSignal) => Promise<MultiaddrConnection>

/** A punch whose dials are answered by `dial`, and the addresses that it has dialled. */
function setUp(dial: Dial, upgrade: () => Promise<never> = never): { init: PunchInit; dialled: string[] } {
  const dialled: string[] = []
  const connectFromPunchPort = async (
    addr: Multiaddr,
    { signal }: { signal: AbortSignal },
  ): Promise<unknown> => {
    dialled.push(addr.toString())
    return dial(addr, signal)
  }
  const transport = {
    connectFromPunchPort,
    connect: connectFromPunchPort,
    inboundClaims: new InboundClaims(),
  } as unknown as PunchTransport
  const upgrader = {
    upgradeOutbound: upgrade,
    getConnectionEncrypters: () => new Map(),
  } as unknown as Upgrader
  const log = Object.assign(() => {}, { trace: () => {}, error: () => {} }) as unknown as Logger
  const budget = new PunchBudget()
  const lossyPaths = new LossyPaths()
  const circuit = { remotePeer } as unknown as Connection
  const init = { transport, upgrader, remotePeer, circuit, candidates, lossyPaths, budget, log } as const
  return { dialled, init: { ...init, role: 'initiator', from: 'punch-port' } }
}

const never = async (): Promise<never> => new Promise(() => {})

const unanswered: Dial = async (_addr, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

const failing =
  (error: object): Dial =>
  async () => {
    throw Object.assign(new Error('as told'), error)
  }

const connected: Dial = async addr =>
  ({
    remoteAddr: addr,
    direction: 'outbound',
    abort: () => {},
    onData: () => {},
  }) as unknown as MultiaddrConnection

const unaborted = new AbortController().signal

describe('a punch', { concurrency: true }, () => {
  it('dials all candidates at once, and is timed-out when nothing answers', async () => {
    const { init, dialled } = setUp(unanswered)
    const punching = punch(init, unaborted)
    assert.deepEqual(dialled, candidates.map(String))
    await assert.rejects(punching, { name: 'HolePunchFailedError', reason: 'timed-out' })
    assert.equal(dialled.length, candidates.length)
  })

  it('is refused when every dial is, after a number of dials that whoever lives there can bear', async () => {
    const { init, dialled } = setUp(failing({ code: 'ECONNREFUSED' }))
    await assert.rejects(punch(init, unaborted), { reason: 'refused' })
    const each = dialled.length / candidates.length
    assert.ok(each > 40 && each <= 100, `${each} dials of each address`)
  })

  it('waits for a 4-tuple that is taken', async () => {
    const { init, dialled } = setUp(failing({ code: 'EADDRNOTAVAIL' }))
    await assert.rejects(punch(init, unaborted), { reason: 'timed-out' })
    const each = dialled.length / candidates.length
    assert.ok(each >= 20 && each <= 51, `${each} dials of each address`)
  })

  it('fails with cannot-share-port where there is no listener to share', async () => {
    const { init } = setUp(failing({ name: 'PunchPortError' }))
    await assert.rejects(punch(init, unaborted), { reason: 'cannot-share-port' })
  })

  it('fails with wrong-peer when somebody else answers, and leaves that one alone', async () => {
    const { init, dialled } = setUp(connected, async () => {
      throw new Error('Payload identity key a does not match expected remote identity key b')
    })
    await assert.rejects(punch(init, unaborted), { reason: 'wrong-peer' })
    assert.equal(dialled.length, candidates.length)
  })

  for (const [host, isTold] of [
    ['/ip4/11.0.0.1', true],
    ['/ip6/2620:fe::fe', true],
    ['/ip4/192.168.1.50', false],
    ['/ip4/100.64.0.1', false],
    ['/ip6/fd00::50', false],
    ['/ip4/127.0.0.1', false],
  ] as const)
    it(`${isTold ? 'tells' : 'does not tell'} that ${host} was connected and stayed silent`, async () => {
      for (const way of ['dialled', 'claimed']) {
        const { init } = setUp(way === 'dialled' ? connected : unanswered, never)
        const addr = multiaddr(`${host}/tcp/5000`)
        let isSilent = false
        const punching = punch(
          { ...init, candidates: [addr], sharesNat: true, onSilence: () => (isSilent = true) },
          unaborted,
        )
        if (way === 'claimed') {
          const claims = init.transport.inboundClaims as InboundClaims
          const { host: from } = endpointOf(addr)
          assert.equal(claims.offer(await connected(addr, unaborted), from, 5000), true)
        }
        await assert.rejects(punching, { name: 'HolePunchFailedError' })
        assert.equal(isSilent, isTold, way)
      }
    })

  it('that is a plain dial ends when nothing is connected in time', async () => {
    const { init, dialled } = setUp(unanswered)
    const startedAt = performance.now()
    const dial = punch({ ...init, from: 'ephemeral-port', connectTimeoutMs: 100 }, unaborted)
    await assert.rejects(dial, { reason: 'timed-out' })
    assert.ok(performance.now() - startedAt < PUNCH_WINDOW_MS / 2)
    assert.equal(dialled.length, candidates.length)
  })

  it('that is a plain dial leaves a connected socket the time to be upgraded', async () => {
    const { init } = setUp(connected, async () => pause(300).then(() => assert.fail('the upgrade went on')))
    const failures: string[] = []
    const log = Object.assign(
      (_: string, __: unknown, error: Error) => failures.push(error.message),
      init.log,
    )
    const dial = punch({ ...init, log, from: 'ephemeral-port', connectTimeoutMs: 100 }, unaborted)
    await assert.rejects(dial, { reason: 'timed-out' })
    assert.deepEqual(failures, ['the upgrade went on', 'the upgrade went on'])
  })

  it('dials a private address ten times: there is no NAT in between', async () => {
    const { init, dialled } = setUp(failing({ code: 'ECONNREFUSED' }))
    const lan = ['/ip4/192.168.1.1/tcp/4001', '/ip4/192.168.1.2/tcp/4001'].map(text => multiaddr(text))
    await assert.rejects(punch({ ...init, candidates: lan }, unaborted), { reason: 'refused' })
    assert.equal(dialled.length, 20)
  })

  it('of eight candidates at one address makes as many dials as the address may be given, and says so', async () => {
    const { init, dialled } = setUp(failing({ code: 'ECONNREFUSED' }))
    const ports = Array.from({ length: 8 }, (_, n) => multiaddr(`/ip4/11.0.0.1/tcp/${n + 1}`))
    await assert.rejects(punch({ ...init, candidates: ports }, unaborted), { reason: 'throttled' })
    const most = DIALS_PER_ADDRESS + (DIALS_PER_SECOND * PUNCH_WINDOW_MS) / 1000
    assert.ok(dialled.length >= DIALS_PER_ADDRESS && dialled.length <= most + 1, `${dialled.length} dials`)
  })

  it('dials nothing where the address has had its share, and is throttled', async () => {
    const { init, dialled } = setUp(unanswered)
    for (const { host } of candidates.map(endpointOf))
      init.budget.chargeRepetitions(host, 2 * DIALS_PER_ADDRESS * 1000)
    await assert.rejects(punch(init, unaborted), { reason: 'throttled' })
    assert.deepEqual(dialled, [])
  })

  for (const [said, isSilent] of [
    ['', true],
    ['\x13/multistream/1.0.0\n', true],
    ['\x13/multistream/1.0.0\n\x07/noise\n', false],
  ] as const)
    it(`${isSilent ? 'tells' : 'does not tell'} of silence when a connected remote has said ${JSON.stringify(said)}`, async () => {
      const { init } = setUp(async addr => {
        const socket = await connected(addr, unaborted)
        const incoming = socket as MultiaddrConnection & { onData(data: Uint8Array): void }
        setImmediate(() => incoming.onData(Buffer.from(said)))
        return socket
      }, never)
      let wasSilent = false
      const onSilence = (): void => {
        wasSilent = true
      }
      await assert.rejects(punch({ ...init, onSilence }, unaborted), { reason: 'timed-out' })
      assert.equal(wasSilent, isSilent)
    })

  it('ends at once when it is aborted, and dials no more', async () => {
    const stopped = new AbortController()
    const { init, dialled } = setUp(unanswered)
    const punching = punch(init, stopped.signal)
    stopped.abort(new Error('enough'))
    await assert.rejects(punching, /enough/)
    assert.equal(dialled.length, candidates.length)
  })
})
