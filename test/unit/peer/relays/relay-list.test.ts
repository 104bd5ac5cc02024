/** Where relays are known from: a list, a file that changes, names. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { resolveDnsaddr } from '../../../../peer/relays/dnsaddr.ts'
import { ReservationSlots } from '../../../../peer/relays/reservations/slots.ts'
import { RelayList } from '../../../../peer/relays/relay-list.ts'
import { once, turns } from '../../../waits.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

const ONE = '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const OTHER = '/ip4/192.0.2.2/tcp/4001/p2p/12D3KooWNdGWvAXPeWz1Hdi9gFqmETeftoefERNdBHzjFLVgz3Tp'

const addrsOf = (list: RelayList): string[] => list.relays.flatMap(it => it.addrs.map(String))

test('addresses of one relay count as one', () => {
  const list = new RelayList([multiaddr(ONE), multiaddr(ONE.replace('4001', '443'))])
  assert.equal(list.relays.length, 1)
  assert.equal(list.relays[0]?.addrs.length, 2)
})

test('a file is read again when it changes; a broken one leaves the relays as they were', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-relays-'))
  const path = join(directory, 'relays')
  await writeFile(path, `# ours\n${ONE}\n`)
  const list = new RelayList([], path)
  t.after(async () => {
    list.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await list.start()
  assert.deepEqual(addrsOf(list), [ONE])
  const has = (): boolean[] => [ONE, OTHER].map(it => list.has(it.split('/p2p/')[1] ?? ''))
  assert.deepEqual(has(), [true, false])
  const failed = once(list as never, 'relays:failed', { signal: AbortSignal.timeout(10_000) })
  await writeFile(path, 'nonsense\n')
  await failed
  assert.deepEqual(addrsOf(list), [ONE])
  const changed = once(list as never, 'relays:changed', { signal: AbortSignal.timeout(10_000) })
  await writeFile(path, `${ONE}\n${OTHER} # another\n`)
  await changed
  assert.deepEqual(addrsOf(list), [ONE, OTHER])
  assert.deepEqual(has(), [true, true])
})

test('the relays that a name stands for are in the list once it is looked up', async t => {
  const list = new RelayList([multiaddr('/dnsaddr/example.org')], undefined, async () => [multiaddr(ONE)])
  t.after(() => list.stop())
  const [, peerId = ''] = ONE.split('/p2p/')
  assert.equal(list.has(peerId), false)
  await list.refresh()
  assert.equal(list.has(peerId), true)
})

test('a file with mistakes is refused at the start, with all of them', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-relays-'))
  t.after(async () => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'relays')
  await writeFile(path, `nonsense\n${ONE}\n/ip4/192.0.2.1/tcp/1\n`)
  await assert.rejects(new RelayList([], path).start(), (error: Error) => {
    assert.equal(error.name, 'InvalidConfigError')
    assert.match(error.message, /relays:1: .*\n.*relays:3: /)
    return true
  })
})

test('a name stands for the addresses in its text records, of the peer that it names', async () => {
  const records: Record<string, string[]> = {
    '_dnsaddr.example.org': [
      `dnsaddr=${ONE}`,
      'dnsaddr=/dnsaddr/more.example.org',
      'v=spf1',
      'dnsaddr=/nonsense',
    ],
    '_dnsaddr.more.example.org': [`dnsaddr=${OTHER}`],
  }
  const lookUp = async (name: string): Promise<string[][]> => (records[name] ?? []).map(text => [text])
  const all = await resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp)
  assert.deepEqual(all.map(String), [ONE, OTHER])
  const [, peerId] = ONE.split('/p2p/')
  const one = await resolveDnsaddr(multiaddr(`/dnsaddr/example.org/p2p/${peerId}`), {}, lookUp)
  assert.deepEqual(one.map(String), [ONE])
})

test('a name whose records have peer ids as CIDs stands for the same relays', async () => {
  const [, peerId = ''] = ONE.split('/p2p/')
  const cid = peerIdFromString(peerId).toCID()
  for (const form of [cid.toString(base32), cid.toString(base36)]) {
    const lookUp = async (): Promise<string[][]> => [[`dnsaddr=${ONE.replace(peerId, form)}`]]
    for (const name of ['/dnsaddr/example.org', `/dnsaddr/example.org/p2p/${peerId}`]) {
      const found = await resolveDnsaddr(multiaddr(name), {}, lookUp)
      assert.deepEqual(found.map(String), [ONE])
    }
  }
})

test('a name that stands for itself comes to an end', async () => {
  let queries = 0
  const lookUp = async (): Promise<string[][]> => {
    queries++
    return [['dnsaddr=/dnsaddr/example.org']]
  }
  assert.deepEqual(await resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp), [])
  assert.equal(queries, 1)
})

/** Zones whose owners have put in as much as there is room for. */
const zones: Readonly<Record<string, (name: string, query: number) => string[]>> = {
  'leads to 32 names, each of which leads to 32 others': name => numbers(32).map(n => `${n}.${name}`),
  'leads to one name that leads to 1,000': (name, query) =>
    numbers(query === 1 ? 1 : 1_000).map(n => `${n}.${name}`),
  'leads to new names in each answer': (_, query) => numbers(5).map(n => `${n}.${query}.example`),
  'leads to the same names by other peer ids': name => numbers(32).map(() => `x.${name}`),
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

for (const [what, zone] of Object.entries(zones))
  for (const fails of [false, true])
    test(`a name that ${what}${fails ? ', which fail,' : ''} costs 32 queries at most, 4 at a time`, async () => {
      let queries = 0
      let underWay = 0
      let most = 0
      const lookUp = async (name: string): Promise<string[][]> => {
        queries++
        most = Math.max(most, ++underWay)
        await new Promise(resolve => setImmediate(resolve))
        underWay--
        if (fails && queries > 1) throw new Error('ESERVFAIL')
        return zone(name.replace('_dnsaddr.', ''), queries).map(it => [`dnsaddr=/dnsaddr/${it}`])
      }
      const found = resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp)
      if (fails) await assert.rejects(found, /ESERVFAIL/)
      else assert.deepEqual(await found, [])
      assert.ok(queries <= 32, `${queries} queries`)
      assert.ok(most <= 4, `${most} at a time`)
    })

test('a name that fails costs nothing of what the others stand for', async () => {
  const lookUp = async (name: string): Promise<string[][]> => {
    if (name === '_dnsaddr.gone.example.org') throw new Error('ENOTFOUND')
    return [[`dnsaddr=/dnsaddr/gone.example.org`], [`dnsaddr=${ONE}`]]
  }
  assert.deepEqual((await resolveDnsaddr(multiaddr('/dnsaddr/example.org'), {}, lookUp)).map(String), [ONE])
})

test('a name that stands for nothing is looked up after growing pauses, and others when they are due', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lookUps = new Map<string, number>()
  const resolve = async (name: Multiaddr): Promise<Multiaddr[]> => {
    lookUps.set(String(name), (lookUps.get(String(name)) ?? 0) + 1)
    return String(name).includes('empty') ? [] : [multiaddr(ONE)]
  }
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const list = new RelayList(
    ['empty', 'full'].map(it => multiaddr(`/dnsaddr/${it}.example`)),
    undefined,
    resolve,
  )
  t.after(() => list.stop())
  await list.start()
  const seconds = 3_600
  for (let second = 0; second < seconds; second++) {
    await turns(3)
    now += 1_000
    t.mock.timers.tick(1_000)
  }
  const [empty = 0, full = 0] = ['empty', 'full'].map(it => lookUps.get(`/dnsaddr/${it}.example`))
  // 5, 10, .. 600 s, of which up to half may be left out; every 5 s were 720
  assert.ok(empty >= 10 && empty <= 20, `${empty} look-ups of the one that stands for nothing`)
  assert.ok(full >= 11 && full <= 25, `${full} look-ups of the other`)
})

test('names are looked up again when the network has changed, and no two rounds run together', async t => {
  let rounds = 0
  let underWay = 0
  let most = 0
  const resolve = async (): Promise<Multiaddr[]> => {
    rounds++
    most = Math.max(most, ++underWay)
    await turns(2)
    underWay--
    return []
  }
  const list = new RelayList([multiaddr('/dnsaddr/empty.example')], undefined, resolve)
  t.after(() => list.stop())
  await list.start()
  await turns(10)
  const before = rounds
  await list.refresh()
  assert.deepEqual([before, rounds], [1, 2])
  await Promise.all(numbers(50).map(async () => list.refresh()))
  assert.equal(most, 1)
  assert.ok(rounds <= 4, `${rounds} rounds`)
})

test('of the relays that wait for a slot, one on another host goes first', async () => {
  const slots = new ReservationSlots(2)
  const signal = AbortSignal.timeout(5_000)
  const first = await slots.take(['192.0.2.1'], signal)
  const second = await slots.take(['192.0.2.2'], signal)
  const order: string[] = []
  const waiting = ['192.0.2.1', '192.0.2.3'].map(async host => {
    const release = await slots.take([host], signal)
    order.push(host)
    release()
  })
  second()
  await waiting[1]
  assert.equal(order[0], '192.0.2.3')
  first()
  await Promise.all(waiting)
})
