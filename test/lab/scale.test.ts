/**
 * Fifty peers behind one NAT and fifty behind another: each is reached, and becomes direct with its opposite. All of them
 * share their NAT's one address, so that a port is all that tells them apart.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createStage } from './stage.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const HOSTS = 5
const PEERS_PER_HOST = 10

/** Time for all circuits, exchanges and punches on two cores. */
const DIRECT_TIMEOUT_MS = 60_000

/** Resident memory of ten peers in one process, in bytes: Node itself has 80 MiB of it. */
const MOST_RESIDENT_BYTES = 400 * 1024 * 1024

/** One peer, and the program that holds it. */
interface Place {
  remote: Remote
  name: string
}

async function placeHosts(stage: Stage, side: string): Promise<Place[]> {
  const nat = await stage.net.addNat(`${side}-nat`, 'eim-apdf-drop')
  const places: Place[] = []
  for (let host = 0; host < HOSTS; host++) {
    const remote = await stage.placeBehind(`${side}${host}`, nat)
    for (let n = 0; n < PEERS_PER_HOST; n++) places.push({ remote, name: `${side}-${host}-${n}` })
  }
  return places
}

/** Starts the peers of all hosts, on each host one after the other; resolves with their circuit addresses. */
async function startPeers(stage: Stage, places: Place[], reserve: boolean): Promise<string[]> {
  const init = { relays: [stage.relayAddr()], reserve }
  const hosts = Map.groupBy(places, it => it.remote)
  const started = [...hosts.values()].map(async onHost => {
    const targets: string[] = []
    for (const { remote, name } of onHost) {
      const { addrs } = await remote.do<{ addrs: string[] }>('peer', { name, ...init }, 60_000)
      targets.push(addrs.find(it => it.includes('/p2p-circuit')) ?? '')
    }
    return targets
  })
  return (await Promise.all(started)).flat()
}

/** Connects one peer and waits until it is direct. */
async function become(
  { remote, name }: Place,
  target: string,
): Promise<{ path: string; remoteAddr: string }> {
  await remote.do('connect', { name, target }, DIRECT_TIMEOUT_MS)
  const { path, remoteAddr } = await remote.do<{ path: string; remoteAddr: string }>(
    'direct',
    { name },
    DIRECT_TIMEOUT_MS,
  )
  return { path, remoteAddr }
}

describe('a hundred peers behind two NATs', () => {
  it('become direct in fifty pairs, all of them', { timeout: 180_000 }, async () => {
    await using stage = await createStage({ delayMs: 20 })
    const [listeners, dialers] = [await placeHosts(stage, 'listener'), await placeHosts(stage, 'dialer')]
    await stage.net.capture()
    await stage.evident('fifty pairs', async () => {
      const targets = await startPeers(stage, listeners, true)
      assert.equal(new Set(targets).size, HOSTS * PEERS_PER_HOST)
      assert.ok(!targets.includes(''))
      await startPeers(stage, dialers, false)
      const outcomes = await Promise.allSettled(
        dialers.map(async (dialer, n) => become(dialer, targets[n] ?? '')),
      )
      const failures = outcomes.flatMap((it, n) =>
        it.status === 'rejected' ? [`${dialers[n]?.name}: ${(it.reason as Error).message}`] : [],
      )
      assert.deepEqual(failures, [])
      // each has a port of its own, of the other NAT's one address
      const addrs = outcomes.flatMap(it => (it.status === 'fulfilled' ? [it.value.remoteAddr] : []))
      const host = `/ip4/${listeners[0]?.remote.host.behind?.publicAddress}/`
      assert.ok(
        addrs.every(it => it.startsWith(host)),
        addrs.join(' '),
      )
      assert.equal(new Set(addrs.map(it => it.split('/')[4])).size, addrs.length)
      await Promise.all(
        dialers.map(async ({ remote, name }) =>
          remote.do('echo', { name, bytes: 20_000 }, DIRECT_TIMEOUT_MS),
        ),
      )
      for (const remote of new Set([...listeners, ...dialers].map(it => it.remote))) {
        const { bytes } = await remote.do<{ bytes: number }>('resident')
        assert.ok(bytes < MOST_RESIDENT_BYTES, `${bytes} bytes on ${remote.host.name}`)
      }
    })
  })
})
